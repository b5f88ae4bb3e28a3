"""Entity tags (RFC 9110, sections 8.8.3 and 13.1) of revisions: formatting, and parsing in conditional requests."""

import re

_ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}")


def strong(revision: int) -> str:
    """Return a revision as a strong entity tag, as If-Match needs it."""
    return f'"{revision}"'


def weak(revision: int) -> str:
    """Return a revision as a weak entity tag, which says that the data is the same, not that every byte is."""
    return f'W/"{revision}"'


def required_revisions(if_match: str | None) -> list[int] | None:
    """Return the revisions that an If-Match lists, by strong comparison; None if it accepts any revision."""
    if if_match is None or if_match == "*":
        return None
    return [int(tag) for is_weak, tag in _ENTITY_TAG.findall(if_match) if not is_weak and _REVISION.fullmatch(tag)]


def is_listed(tag: str, if_none_match: str) -> bool:
    """Return whether an If-None-Match lists an opaque tag, by weak comparison."""
    return if_none_match == "*" or any(listed == tag for _, listed in _ENTITY_TAG.findall(if_none_match))
