"""Conditional requests (RFC 9110, section 13): entity tags that stand for revisions."""

import re

from handlers.contract.operation import Answer
from handlers.resources.tasks import PRIVATE, list_tag
from storage import accounts
from storage.driver.connection import Connection

_ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}")


def revisions_of(if_match: str | None) -> list[int] | None:
    """Return the revisions that an If-Match names by strong comparison; None when any will do."""
    if if_match is None or if_match == "*":
        return None
    return [int(tag) for weak, tag in _ENTITY_TAG.findall(if_match) if not weak and _REVISION.fullmatch(tag)]


def names(if_none_match: str, tag: str) -> bool:
    """Say whether an If-None-Match names an opaque tag by weak comparison."""
    return if_none_match == "*" or any(named == tag for _, named in _ENTITY_TAG.findall(if_none_match))


async def list_not_modified(connection: Connection, user_id: str, if_none_match: str | None) -> Answer | None:
    """Return the 304 for a list that the client still holds, at the cost of one primary-key look-up, else None."""
    if if_none_match is None:
        return None
    revision = await accounts.get_revision(connection, user_id)
    if not names(if_none_match, str(revision)):
        return None
    return None, 304, {"ETag": list_tag(revision), **PRIVATE}
