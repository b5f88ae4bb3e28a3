"""What HTTP requires of the head of a request, beyond what the parser checks."""

import re
from collections.abc import Iterable

_MAX_BYTES = 65_536
MAX_FIELDS = 100
# More addresses than a request passes proxies. Uvicorn parses each of them, as long as it trusts them.
_MAX_FORWARDED = 1024
# uri-host [ ":" port ] (RFC 3986, section 3.2.2); it may be empty.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?")

TOO_LARGE = f"must have at most {_MAX_BYTES:,} bytes, including the method and the path"
TOO_MANY_FIELDS = f"must have at most {MAX_FIELDS} fields"


class HeadError(Exception):
    """A head that must be rejected. The message is the end of a sentence about the head."""


def is_too_large(size: int) -> bool:
    """Return whether a head of this many bytes is too large."""
    return size > _MAX_BYTES


def check_head(version: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the size of a head in bytes; header names must be in lower case.

    Raises HeadError for one that RFC 9112 lets a server reject: see sections 2.3 (the version), 3.2 (the target and
    Host) and 6.1 (Transfer-Encoding).
    """
    size, forwarded, hosts, codings = len(target), 0, [], []
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value.lower())
        elif name == b"x-forwarded-for":
            forwarded += len(value)
    if is_too_large(size):
        raise HeadError(TOO_LARGE)
    if version not in ("1.1", "1.0"):
        raise HeadError("must be HTTP/1.1 or HTTP/1.0")
    if b"#" in target:
        raise HeadError("must not have a fragment in its target")
    if not all(map(_HOST.fullmatch, hosts)) or len(hosts) > 1 or (not hosts and version == "1.1"):
        raise HeadError("must have one Host header, with a valid host name")
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise HeadError("must not have a Transfer-Encoding other than chunked, nor any in HTTP/1.0")
    if forwarded > _MAX_FORWARDED:
        raise HeadError(f"must have at most {_MAX_FORWARDED:,} bytes of X-Forwarded-For")
    return size


def head_without_upgrade(method: bytes, target: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a head without its Upgrade header, which a server may ignore (RFC 9110, section 7.8)."""
    lines = [b"%s %s HTTP/%s" % (method, target, version.encode())]
    lines += [b"%s: %s" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])
