"""URLs of the web, as far as settings have them."""

import re
from urllib.parse import urlsplit

from handlers.settings.database_url import is_local


def origin(text: str) -> str | None:
    """Return an origin as browsers send it (RFC 6454, section 6.2), without its default port; None for no origin."""
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    if parts.scheme not in ("http", "https") or not host or text != f"{parts.scheme}://{host}{port}":
        return None
    return text.removesuffix({"http": ":80", "https": ":443"}[parts.scheme])


def origin_of(url: str) -> str | None:
    """Return the origin of an absolute URL without a user, a password or a fragment; None for anything else."""
    found = re.fullmatch(r"(https?://[\w.:\[\]-]+)(?:[/?][!-\"$-~]*)?", url, flags=re.ASCII | re.IGNORECASE)
    return origin(found[1].lower()) if found else None


def is_private(url: str) -> bool:
    """Say whether nobody on the way can change what a URL answers: it has TLS, or does not leave this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_local(parts.hostname or "")
