"""The responses that handlers return: JSON, no content, or a stream. Each is an ASGI application that sends itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from handlers.responses.state import service_state

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


@dataclass(slots=True)
class Stream:
    """Content that is sent piece by piece, as an async iterator yields it.

    The stream ends when the iterator does, when the client disconnects, or when the service stops. In each case an
    async generator is closed, so that its `finally` blocks run; it must not suppress CancelledError. If it raises, the
    connection is closed without the last chunk (RFC 9112, section 7.1), and the client sees that the content is cut
    off. An error that a client should get as a problem document must be raised before the handler returns the stream.

    Let the iterator yield at least every 15 seconds: proxies end silent connections, and a client that has sent another
    request meanwhile is only known to be gone when something is sent to it.
    """

    chunks: AsyncIterator[bytes]
    media_type: str
    status: int = 200
    headers: Headers = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the chunks; a HEAD request gets the headers only."""
        try:
            headers = _raw({**self.headers, "Content-Type": self.media_type})
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            if scope["method"] != "HEAD":
                await self._send_until_ended(scope, receive, send)
        finally:
            await self._close()
        await send({"type": "http.response.body", "body": b""})

    async def _send_until_ended(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_chunks(send))
        tasks: set[asyncio.Task[Any]] = {
            sending,
            asyncio.create_task(_disconnected(receive)),
            asyncio.create_task(service_state(scope["state"]).stopping.wait()),
        }
        done: set[asyncio.Task[Any]] = set()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if sending in done or not sending.cancelled():
            sending.result()

    async def _send_chunks(self, send: Send) -> None:
        async for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # Without a pause, an iterator that never waits would let nothing else run, its own end included.
            await asyncio.sleep(0)

    async def _close(self) -> None:
        close = getattr(self.chunks, "aclose", None)
        if close is not None:
            await close()


Response = JSON | NoContent | Stream
"""A response that a handler returns."""


async def send_whole(
    send: Send, status: int, headers: Headers, content: bytes = b"", media_type: str | None = None
) -> None:
    """Send a whole response; the values of headers are Latin-1 (RFC 9110, section 5.5).

    With a media type, the headers that describe the content are added.
    """
    raw = _raw(headers)
    if media_type is not None:
        raw += (b"content-type", media_type.encode()), (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
