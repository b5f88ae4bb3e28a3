"""The origins that may call, and the headers that tell browsers so."""

import re
from collections.abc import Collection

from handlers.responses.state import RawHeaders

ALLOW_ORIGIN = b"access-control-allow-origin"
MOST_REMEMBERED = 1024

_VARY = (b"vary", b"Origin")
# A label has at most 63 octets (RFC 1035, section 2.3.4), so what is remembered is bounded in length too.
_PART_OF_LABEL = "[A-Za-z0-9-]{1,63}"
# Browsers leave out the default port.
_ANY_PORT = "(:[0-9]{1,5})?"


class HeadersByOrigin(dict[bytes | None, RawHeaders]):
    """The headers of a response to each origin that was seen; None stands for a request without an origin.

    Only allowed origins are remembered, and at most MOST_REMEMBERED of them: a pattern can match any number.
    Starlette's CORSMiddleware built the headers for each response, which took 11 of a request's 129 µs.
    """

    def __init__(self, origins: Collection[str], readable: bytes) -> None:
        """Allow these origins; `readable` lists the headers that their pages may read.

        `*` alone stands for every origin. At the end, as in `http://localhost:*`, it stands for any port, and elsewhere
        for a part of one label of the host, without a dot.
        """
        super().__init__({None: [_VARY]})
        access = (ALLOW_ORIGIN, b"*") if "*" in origins else (b"access-control-allow-credentials", b"true")
        self._others = [access, (b"access-control-expose-headers", readable), _VARY]
        self._listed = {origin.encode() for origin in origins if "*" not in origin}
        self._patterns = [_pattern(origin) for origin in origins if "*" in origin and origin != "*"]

    def __missing__(self, origin: bytes) -> RawHeaders:
        """Return the headers for an origin that is not remembered."""
        if origin not in self._listed and not any(pattern.fullmatch(origin) for pattern in self._patterns):
            return self._others
        if len(self) == MOST_REMEMBERED:
            self.popitem()
        self[origin] = [(ALLOW_ORIGIN, origin), *self._others]
        return self[origin]


def _pattern(origin: str) -> re.Pattern[bytes]:
    """Return what matches the origins that one with a `*` stands for."""
    if origin.endswith(":*"):
        return re.compile(f"{re.escape(origin.removesuffix(':*'))}{_ANY_PORT}".encode())
    before, _, behind = origin.partition("*")
    return re.compile(f"{re.escape(before)}{_PART_OF_LABEL}{re.escape(behind)}".encode())
