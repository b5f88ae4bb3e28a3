"""Web URLs and their origins, as settings use them."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from handlers.settings.database_url import is_local

# In lower case and ASCII, as browsers send it: names of other scripts begin with `xn--`.
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]")


def origin(text: str) -> str | None:
    """Return an origin as browsers send it (RFC 6454, section 6.2), without a default port; None for any other text."""
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    if parts.scheme not in ("http", "https") or text != f"{parts.scheme}://{host}{port}" or not _HOST.fullmatch(host):
        return None
    return text.removesuffix({"http": ":80", "https": ":443"}[parts.scheme])


def origin_of(url: str) -> str | None:
    """Return the origin of an absolute URL that has no user name, password or fragment; None for any other text."""
    found = re.fullmatch(r"(https?://[\w.:\[\]-]+)(?:[/?][!-\"$-~]*)?", url, flags=re.ASCII | re.IGNORECASE)
    return origin(found[1].lower()) if found else None


def plain_host(text: str) -> str:
    """Return a host as sockets take it: an IPv6 address without the brackets that it has in URLs, in its short form."""
    try:
        return str(ip_address(re.sub(r"^\[(.*)\]$", r"\1", text)))
    except ValueError:
        return text


def is_https_or_local(url: str) -> bool:
    """Return whether a URL has TLS or points to this machine, so that nobody else can change the response."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_local(parts.hostname or "")
