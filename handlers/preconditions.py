"""Conditional requests (RFC 9110, section 13): entity tags that stand for revisions."""

import re

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


def is_current(if_none_match: str, revision: int) -> bool:
    """Say whether an If-None-Match names a revision by weak comparison."""
    return names(if_none_match, str(revision))
