"""The responses that may take long: a stream, and one that waits for something to happen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from handlers.responses.response import Headers, Response, raw_headers
from handlers.responses.state import service_state


@dataclass(slots=True)
class Stream:
    """Content that is sent piece by piece, as an async iterator yields it.

    `opened` returns a context manager that enters the iterator. It is entered before the response begins, so that it
    can raise an error for which the client gets a problem document, and left when the stream ends. A HEAD request does
    not enter it. The stream ends when the iterator does, when the client disconnects, or when the service stops; in
    this case `farewell` is its last piece. The iterator must not suppress CancelledError. If it raises, the connection
    is closed without the last chunk (RFC 9112, section 7.1), and the client sees that the content is cut off.

    Let the iterator yield at least every 15 seconds: proxies end silent connections, and a client that has sent another
    request meanwhile is only known to be gone when something is sent to it.
    """

    opened: Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
    media_type: str
    headers: Headers = field(default_factory=dict)
    farewell: bytes = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the chunks; a HEAD request gets the headers only."""
        last = b""
        if scope["method"] == "HEAD":
            await self._begin(send)
        else:
            async with self.opened() as chunks:
                await self._begin(send)
                if await _ended_by_departure(_send_chunks(chunks, send), scope, receive):
                    last = self.farewell
        await send({"type": "http.response.body", "body": last})

    async def _begin(self, send: Send) -> None:
        headers = raw_headers({**self.headers, "Content-Type": self.media_type})
        await send({"type": "http.response.start", "status": 200, "headers": headers})


@dataclass(slots=True)
class LongPoll:
    """A response that waits until something happens, and no longer than until the client leaves or the service stops.

    `happens` waits, and returns whether something has happened. `respond` then returns the response; if nothing has,
    it is `otherwise`. A HEAD request does not wait.
    """

    happens: Callable[[], Awaitable[bool]]
    respond: Callable[[], Awaitable[Response]]
    otherwise: Response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, and send the response."""
        response = await self.respond() if await self._has_happened(scope, receive) else self.otherwise
        await response(scope, receive, send)

    async def _has_happened(self, scope: Scope, receive: Receive) -> bool:
        if scope["method"] == "HEAD":
            return False
        happening = asyncio.ensure_future(self.happens())
        await _ended_by_departure(happening, scope, receive)
        return not happening.cancelled() and happening.result()


async def _ended_by_departure(work: Awaitable[object], scope: Scope, receive: Receive) -> bool:
    """Wait until `work` is done, the client disconnects, or the process is about to stop. Return whether it is that.

    `work` is cancelled unless it is done. Raises what it raises.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(service_state(scope["state"]).departure())
    tasks: set[asyncio.Future[Any]] = {working, asyncio.ensure_future(_disconnected(receive)), leaving}
    done: set[asyncio.Future[Any]] = set()
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if working in done or not working.cancelled():
        working.result()
    return leaving in done and working not in done


async def _send_chunks(chunks: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        # Without a pause, an iterator that never waits would let nothing else run, its own end included.
        await asyncio.sleep(0)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
