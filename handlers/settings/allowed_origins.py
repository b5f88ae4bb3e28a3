"""ALLOWED_ORIGINS: what an entry may be, and which hosts a `*` in it stands for."""

from handlers.settings.web_url import origin

_ALONE = (
    "must list every origin. The wildcard * alone is for development only, and cannot be combined with other entries."
)
_NOT_AN_ORIGIN = (
    "must list origins such as https://app.example.com, with a scheme, without a path, and with the host in ASCII "
    "(xn--...): entry {} is not an origin."
)
_MISPLACED = (
    "may have one * in an entry, inside one label of the host, as in https://my-app-*.example.com, or in development "
    "as the port of localhost: entry {} has another *."
)
_TOO_BROAD = (
    "must have a domain behind a *, in production one of at least two labels, as in https://*.example.com: "
    "entry {} allows too many hosts."
)
_SHARED = (
    "has {}: if others can have a host name that matches, as on the shared domain of a hosting provider, their pages "
    "may call the API too."
)


class OriginError(Exception):
    """An entry that cannot be used. The message is a sentence without its subject, with `{}` for the entry's number."""


def allowed_origin(entry: str, *, production: bool) -> str:
    """Return an entry, which must be in lower case, without a default port. Raises OriginError."""
    if not production and entry in ("http://localhost:*", "https://localhost:*"):
        return entry
    if entry == "*":
        raise OriginError(_ALONE)
    # With a letter in place of a wildcard inside a label of the host, the entry is an origin.
    found = origin(entry.replace("*", "x"))
    if entry.count("*") > 1 or ":*" in entry:
        raise OriginError(_MISPLACED)
    if found is None:
        raise OriginError(_NOT_AN_ORIGIN)
    if "*" in entry and _labels_behind(entry) < (2 if production else 1):
        raise OriginError(_TOO_BROAD)
    return entry[: len(found)]


def warning_about(entry: str) -> str | None:
    """Return what the operator should know about an allowed origin, as a sentence without its subject."""
    is_pattern_of_hosts = "*" in entry and entry != "*" and not entry.endswith(":*")
    return _SHARED.format(entry) if is_pattern_of_hosts else None


def _labels_behind(entry: str) -> int:
    """Return how many whole labels the host has behind its wildcard."""
    _, *labels = entry.partition("*")[2].partition(":")[0].rstrip(".").split(".")
    return len(labels)
