"""Uvicorn's cycle of one request and its response, adapted to write a whole response at once, after the request."""

import asyncio
from collections.abc import Callable, Iterable, Sized
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from handlers.responses.problems import Problem
from handlers.responses.state import service_state
from handlers.service.flow import Flow
from handlers.service.large_requests import SMALL, LargeRequests
from handlers.service.lingering import unacknowledged
from handlers.service.lost_clients import notice_loss
from handlers.service.one_at_a_time import LARGE, OneAtATime

_WITHOUT_CONTENT = (204, 304)
# In bytes: where copying the content costs less than to send it apart from the head.
_COPIED = 65_536
# In bytes: what TCP sends before the client has acknowledged anything (RFC 6928). The rest of a response waits.
_INITIAL_WINDOW = 14_600
# How long a rejected request may take to arrive.
_REST_SECONDS = 5.0
# Each piece takes the time of thousands of bytes. The service itself cuts a body into pieces of 16 KiB.
_MOST_PIECES = 4096


class ResponseCycle(RequestResponseCycle):
    """Writes the head of a response together with its content, if the head says how long the content is.

    Uvicorn makes a system call for each of the two, and matches two regular expressions with each header.

    If the service rejects a request before its body has arrived, the response waits for the rest. Some proxies stop
    sending when they see a response, and reuse the connection: the next request, which may be another client's, would
    be taken for the rest of the body. `must_linger` is true if the connection has to end although the client may still
    be sending: the rest is not worth waiting for, or the response is long.

    `waiting` are the requests that have arrived on the same connection. While the service stops, the last response on
    each connection ends it. `received` is the size of the body so far, in bytes. `given_up` returns the
    response to a request whose body the service does not want to wait for any longer. `is_half_closed` is true if the
    client has ended what it sends.
    """

    must_linger = False
    waiting: Sized = ()
    received = 0
    given_up: Callable[[], Problem] | None = None
    large_requests: LargeRequests
    one_at_a_time: OneAtATime
    is_half_closed = False
    _is_read = False
    _turn: asyncio.Future[None] | None = None
    _pieces = 0
    _drops_rest = False
    flow: Flow
    _head: Any = None

    @property
    def rest(self) -> int:
        """How many bytes of the body are still to come; 0 if its head does not say so."""
        return max(_content_length(self.scope["headers"]) - self.received, 0) if self.more_body else 0

    def note(self, body: bytes) -> None:
        """Count a part of the body."""
        self.received += len(body)
        self._pieces += 1
        if self.received > SMALL and not (self._drops_rest or self.given_up):
            self.large_requests.hold(self, self.received)

    async def send(self, message: Any) -> None:
        """Send an ASGI message, or keep it until the content comes. Raises RuntimeError for a header with a line break.

        The content must have the length that the head says.
        """
        is_start = message["type"] == "http.response.start"
        if is_start and self.received > SMALL:
            self.large_requests.release(self)
        if is_start and self.more_body:
            await self._read_rest()
        if is_start and not (self.waiting or self.flow.held) and service_state(self.scope["state"]).closes_connections:
            self.keep_alive = False
        if is_start and _is_whole(message):
            self._head = message
        elif self._head is not None:
            head, self._head = self._head, None
            await self._send_whole(head, message)
        else:
            if is_start:
                notice_loss(self.transport)
            await self._send_part(message, message.get("body", b""))

    async def receive(self) -> Any:
        """Return an ASGI message, the last one of a large body when it is the request's turn.

        Raises Problem if the service has given up on the rest of the body.

        A client that has ended what it sends may be gone, or still read. A response that waits for something to happen
        should come at once: `tests/sync/test_waiting.py`. For this, the message after the body is a disconnection.
        """
        message: Any = None if self.is_half_closed and self._is_read else await super().receive()
        if self.given_up is not None and self.more_body:
            raise self.given_up()
        if self.is_half_closed and self._is_read:
            return {"type": "http.disconnect"}
        if message.get("more_body"):
            return message
        if message["type"] == "http.request" and self.received > LARGE and not await self.has_turn():
            return {"type": "http.disconnect"}
        self._is_read = True
        return message

    async def has_turn(self) -> bool:
        """Wait for a turn, which lasts until the next pause, and return True; False if the client is gone.

        Prevents requests that nobody waits for from delaying others: `tests/faults/test_abandoned_requests.py`.
        """
        self._turn = self.one_at_a_time.join(self.transport, takes_interim=self.scope["http_version"] == "1.1")
        await self._turn
        return not self.disconnected

    def abandon(self) -> None:
        """Note that nobody waits for the response. A request whose body has not been passed on ends."""
        self.disconnected = True
        self.message_event.set()
        if not self._is_read:
            self.large_requests.release(self)
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def half_close(self) -> None:
        """Note that the client has ended what it sends."""
        self.is_half_closed = True
        self.message_event.set()

    def give_up(self, problem: Callable[[], Problem]) -> None:
        """Drop the body, ignore the rest of it, and send a problem.

        A problem that was raised, and that is kept, would keep the body.
        """
        self.given_up, self.body = problem, bytearray()
        self.flow.drop()
        self.message_event.set()

    async def _read_rest(self) -> None:
        """Read and drop the rest of the body, unless it is long or given up, or the client may not want to send it."""
        self._drops_rest = True
        service = service_state(self.scope["state"])
        is_short = _content_length(self.scope["headers"]) <= service.rest_limit
        if is_short and not (self.given_up or self.waiting_for_100_continue or service.stopping.is_set()):
            # Some time after it begins to stop, uvicorn cancels the requests that are still running.
            with suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_REST_SECONDS):
                    await self._drop(service.rest_limit)
        if self.more_body:
            self.must_linger, self.keep_alive = True, False

    async def _drop(self, limit: int) -> None:
        size = 0
        while self.more_body and not self.disconnected and size <= limit and self._pieces <= _MOST_PIECES:
            message: Any = await super().receive()
            size += len(message.get("body", b""))

    async def _send_part(self, message: Any, content: bytes) -> None:
        self.flow.hold(content)
        # The wait comes first: the service may begin to stop meanwhile, which changes `keep_alive`.
        await self._wait_for_client(gives_up=not message.get("more_body"))
        is_end = message["type"] == "http.response.body" and not message.get("more_body")
        if is_end and not self.keep_alive and unacknowledged(self.transport) + len(content) > _INITIAL_WINDOW:
            # The client may send another request while it reads. To a closed connection, this would reset it.
            self.must_linger = True
        if self.must_linger:
            # Uvicorn would announce the end of the connection with the head, but also close it after the content.
            self.keep_alive = message["type"] != "http.response.start"
        await super().send(message)
        self.flow.hold(content)

    async def _wait_for_client(self, *, gives_up: bool) -> None:
        """Wait until the client has read most of what was sent. With `gives_up`, a cancellation gives up the response.

        Some time after it begins to stop, uvicorn cancels the requests that are still running, and would log a
        traceback for each client that does not read: `tests/faults/test_unread_at_a_stop.py`. A stream itself cancels
        the chunk that waits when the service stops, and then sends its end.
        """
        if self.flow.write_paused and not self.disconnected:
            try:
                await self.flow.drain()
            except asyncio.CancelledError:
                if not gives_up:
                    raise
                self.disconnected = True

    async def _send_whole(self, head: Any, message: Any) -> None:
        headers = [*self.default_headers, *head["headers"]]
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        is_plain = self.keep_alive and not message.get("more_body") and b"connection: " not in lines
        if self.flow.write_paused or self.disconnected or not is_plain:
            content = message.get("body", b"")
            await self._send_part(head, content)
            await self._send_part(message, content)
            return
        if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
            raise RuntimeError("a header has a line break")
        content = b"" if self.scope["method"] == "HEAD" else message.get("body", b"")
        parts = [STATUS_LINE[head["status"]], lines, b"\r\n", content]
        # The transport keeps long contents without a copy.
        if len(content) > _COPIED:
            self.transport.writelines(parts)
        else:
            self.transport.write(b"".join(parts))
        self.flow.hold(content)
        self.waiting_for_100_continue = False
        self.response_started = self.response_complete = True
        self.message_event.set()
        self.on_response()


def _is_whole(start: Any) -> bool:
    return start["status"] in _WITHOUT_CONTENT or any(name == b"content-length" for name, _ in start["headers"])


def _content_length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the announced length of a body in bytes, or 0. The parser accepts any number of leading zeros."""
    return next((int(value.lstrip(b"0") or b"0") for name, value in headers if name == b"content-length"), 0)
