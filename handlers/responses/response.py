"""The responses that handlers return at once: JSON, or no content. Each is an ASGI application that sends itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from starlette.types import Receive, Scope, Send

Headers = Mapping[str, str]


@dataclass(slots=True)
class JSON:
    """A JSON document; datetimes are written in UTC, ending in `Z` (RFC 3339)."""

    content: Any
    status: int = 200
    headers: Headers = field(default_factory=dict)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the document, once."""
        content = orjson.dumps(self.content, option=orjson.OPT_UTC_Z)
        # A client may take long to read it. What it was made from takes several times the memory.
        self.content = None
        await send_whole(send, self.status, self.headers, content, "application/json")


@dataclass(slots=True)
class NoContent:
    """A response without content: 204, or 304 (RFC 9110, sections 15.3.5 and 15.4.5)."""

    status: int = 204
    headers: Headers = field(default_factory=dict)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the status and the headers."""
        await send_whole(send, self.status, self.headers)


class Response(Protocol):
    """A response that a handler returns: `JSON`, `NoContent`, or one of `streams.py`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """Send the response. Raises what a handler may raise, but only before anything is sent."""


async def send_whole(
    send: Send, status: int, headers: Headers, content: bytes = b"", media_type: str | None = None
) -> None:
    """Send a whole response; the values of headers are Latin-1 (RFC 9110, section 5.5).

    With a media type, the headers that describe the content are added.
    """
    raw = raw_headers(headers)
    if media_type is not None:
        raw += (b"content-type", media_type.encode()), (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


def raw_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
