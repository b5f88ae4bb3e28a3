"""What a revision means for a response: its caching, its entity tag, and the 304 for a client that has it already."""

from handlers.responses.entity_tags import is_listed, strong, weak
from handlers.responses.response import Headers, NoContent
from storage import accounts
from storage.driver.query import Connection

PRIVATE: Headers = {"Cache-Control": "private, no-cache"}
"""The headers of every response about a user: only that user may see it, and it is revalidated before each use."""

NOT_STORED: Headers = {"Cache-Control": "no-store"}
"""The headers of a response about a user that nothing but the client itself may keep."""


def resource_headers(revision: int) -> dict[str, str]:
    """Return the headers of a single resource at a revision."""
    return {"ETag": strong(revision), **PRIVATE}


def list_headers(revision: int) -> dict[str, str]:
    """Return the headers of a list, whose revision is its user's."""
    return {"ETag": weak(revision), **PRIVATE}


async def list_not_modified(connection: Connection, user_id: str, if_none_match: str | None) -> NoContent | None:
    """Return the 304 for a list that the client still has, at the cost of one primary-key lookup, else None."""
    if if_none_match is None:
        return None
    revision = await accounts.get_revision(connection, user_id)
    return NoContent(304, list_headers(revision)) if is_listed(str(revision), if_none_match) else None
