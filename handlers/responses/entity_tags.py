"""Entity tags (RFC 9110, sections 8.8.3 and 13.1) of revisions: formatting, and parsing in conditional requests."""

import re

_ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}")


def strong(revision: int) -> str:
    """Return a revision as a strong entity tag, as If-Match needs it."""
    return f'"{revision}"'


def weak(revision: int, tick: str = "") -> str:
    """Return a revision, and digits that follow it, as a weak entity tag.

    It says that the data is the same, not that every byte is."""
    return f'W/"{revision}{tick}"'


def required_revisions(if_match: str | None) -> list[int] | None:
    """Return the revisions that an If-Match lists, by strong comparison; None if it accepts any revision."""
    if if_match is None or if_match == "*":
        return None
    return [int(tag) for is_weak, tag in _ENTITY_TAG.findall(if_match) if not is_weak and _REVISION.fullmatch(tag)]


def mistake_in(if_match: str) -> str | None:
    """Return what is wrong with an If-Match that did not match, and what to send, or None if its tags are revisions.

    Proxies that compress make tags weak, or append to them.
    """
    weak_tags = [tag for is_weak, tag in _ENTITY_TAG.findall(if_match) if is_weak and _REVISION.fullmatch(tag)]
    if weak_tags:
        tag = f'"{weak_tags[0]}"'
        return f"The entity tag W/{tag} in If-Match is weak, so it never matches. Send {tag} instead."
    if required_revisions(if_match) == []:
        return 'If-Match lists no entity tag that this server makes. Send a revision in double quotes, such as "42".'
    return None


def is_listed(tag: str, if_none_match: str) -> bool:
    """Return whether an If-None-Match lists an opaque tag, by weak comparison."""
    return if_none_match == "*" or any(listed == tag for _, listed in _ENTITY_TAG.findall(if_none_match))
