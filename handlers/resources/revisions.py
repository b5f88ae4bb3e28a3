"""What a revision means for a response: its caching, its entity tag, and the 304 for a client that has it already."""

from handlers.resources.sync_tokens import token_at
from handlers.responses.entity_tags import is_listed, strong, weak
from handlers.responses.response import Headers, NoContent
from storage.changes import Head, get_head
from storage.driver.query import Connection

PRIVATE: Headers = {"Cache-Control": "private, no-cache"}
"""The headers of every response about a user: only that user may see it, and it is revalidated before each use."""

NOT_STORED: Headers = {"Cache-Control": "no-store"}
"""The headers of a response about a user that nothing but the client itself may keep."""


def resource_headers(revision: int) -> dict[str, str]:
    """Return the headers of a single resource at a revision."""
    return {"ETag": strong(revision), **PRIVATE}


def list_headers(head: Head, tick: str = "") -> dict[str, str]:
    """Return the headers of a list, whose revision is its user's, and from where `list_changes` continues.

    `tick` are digits that change whenever the list may change without a write.
    """
    return {"ETag": weak(head.revision, tick), "Sync-Token": token_at(head), **PRIVATE}


async def list_not_modified(connection: Connection, user_id: str, if_none_match: str | None) -> NoContent | None:
    """Return the 304 for a list that the client still has, at the cost of one primary-key lookup, else None."""
    if if_none_match is None:
        return None
    return not_modified(await get_head(connection, user_id), if_none_match)


def not_modified(head: Head, if_none_match: str | None, tick: str = "") -> NoContent | None:
    """Return the 304 for a list that the client still has at this head, else None."""
    if if_none_match is None or not is_listed(f"{head.revision}{tick}", if_none_match):
        return None
    return NoContent(304, list_headers(head, tick))
