"""Uvicorn's HTTP/1.1 protocol, adapted to RFC 9110 and RFC 9112: what a connection does before and after a request.

For an empty request, uvicorn's other implementation, on h11, takes 84 µs, and this one takes 26. The docstring of an
override says what it prevents, and which test fails without it.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from handlers.responses.problems import Problem
from handlers.responses.state import service_state
from handlers.service.flow import Flow
from handlers.service.half_close import answers_the_rest
from handlers.service.lingering import linger, unacknowledged
from handlers.service.rejection import rejection
from handlers.service.request_parser import RequestParser
from handlers.service.response_cycle import ResponseCycle
from handlers.service.stopping import ARRIVAL_SECONDS, has_unread
from handlers.service.time_limits import Awaited, Part

_LATE = partial(Problem, 408, "The body of the request did not arrive in time.")


class HttpProtocol(RequestParser):
    """Serves the requests of a connection in turn, with limits, and ends it when its client or the service stops.

    A problem document answers invalid HTTP.
    """

    flow: Flow
    _refusal: Problem | None = None
    _running: RequestResponseCycle | None = None
    is_lingering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, and drop one if there are too many.

        Prevents clients from using up the file descriptors: `tests/faults/test_descriptors.py`.
        """
        super().connection_made(transport)
        self.flow = Flow(self, self.parse, self.server_state.unread, self.server_state.turns)
        self.server_state.opened(self)

    def data_received(self, data: bytes) -> None:
        """Parse the data, or hold it while requests wait for their turn."""
        if self._refusal is None and not self.is_lingering:
            self.flow.receive(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for as long as complete requests wait: `tests/faults/test_half_closed.py`."""
        return answers_the_rest(self._running, self.pipeline, closes=self._refusal is None)

    def on_response_complete(self) -> None:
        """Continue with the next request, or reject the bytes that followed the last one.

        Prevents a rejection from overtaking the responses to earlier requests: `tests/contract/test_hostile_corpus.py`.
        Prevents the rest of a rejected body from being read as a request: `tests/faults/test_rejected_bodies.py`.
        """
        self.server_state.total_requests += 1
        if cast(ResponseCycle, self._running).must_linger:
            self._linger()
        elif self.transport.is_closing():
            self.server_state.released(self)
        else:
            self._continue()

    def _continue(self) -> None:
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self.flow.parse()
        self.flow.resume_reading()
        running = cast(ResponseCycle, self._running)
        if running.response_complete or running.more_body:
            self.server_state.released(self)
        if self._refusal is not None:
            self._reject_in_turn(self._refusal)

    def awaited(self) -> Awaited | None:
        """Return what the client has to send; None while the service has to act first."""
        if self.flow.read_paused or self.is_lingering or self._refusal is not None or self.transport.is_closing():
            return None
        # The scope begins with a head, and has a method when the head is complete.
        if self.scope is None or "method" not in self.scope:
            return Awaited(Part.HEAD, self.scope)
        cycle = self.cycle
        if cycle.response_complete:
            return Awaited(Part.NEXT, cycle)
        if cycle.more_body and not cycle.response_started and cycle.given_up is None:
            return Awaited(Part.BODY, cycle, cycle.received)
        return None

    def time_out(self, part: Part) -> None:
        """End what is late: with a 408 if a request had begun (RFC 9110, section 15.5.9).

        Prevents a reset of a request that has just arrived: `tests/faults/test_time_limits.py`.
        """
        if part is Part.BODY:
            self.cycle.give_up(_LATE)
        elif part is Part.NEXT or self.scope is None:
            if not has_unread(self.transport):
                self._close_or_linger(self.transport.close)
        else:
            self.refuse(Problem(408, "The head of the request did not arrive in time."))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    async def serve_in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the running request, which has a large head, when it is its turn, unless its client is gone by then."""
        try:
            if not await cast(ResponseCycle, self._running).has_turn():
                return
        except asyncio.CancelledError:
            # Some time after it begins to stop, uvicorn cancels the requests that are still running. The application
            # responds to that.
            cast("asyncio.Task[None]", asyncio.current_task()).cancel()
        await self.config.loaded_app(scope, receive, send)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the running request know that the client has disconnected.

        Uvicorn does so for the request that arrived last. Prevents a traceback for each client that disconnects after
        it has pipelined requests: `tests/service/test_http.py` and `tests/service/test_streams.py`.
        """
        self._abandon()
        self.pipeline.clear()
        self.flow.drop()
        super().connection_lost(exc)
        self.server_state.closed(self)

    def shutdown(self) -> None:
        """Close the connection after the current request, or after one that may have arrived or be about to.

        Keeps a client from getting a reset if its request arrives while the process stops:
        `tests/faults/test_shutdown.py`.
        """
        if self.cycle is None or has_unread(self.transport):
            self.loop.call_later(ARRIVAL_SECONDS, self._end_after_request)
        else:
            self._end_after_request()

    def _end_after_request(self) -> None:
        # Where requests wait or bytes are held, the last response will end the connection.
        if not (self.flow.held or self.pipeline or self.is_lingering):
            self._close_or_linger(super().shutdown)

    def _close_or_linger(self, close: Callable[[], None]) -> None:
        """Close the connection, once the client has the last response.

        Keeps a request that comes too late from cutting off the response: `tests/faults/test_last_responses.py`.
        """
        if self.cycle is not None and self.cycle.response_complete and unacknowledged(self.transport):
            self._linger()
        else:
            close()

    def _linger(self) -> None:
        self.is_lingering = True
        self.flow.held = b""
        self.server_state.released(self)
        self.flow.resume_reading()
        linger(self.transport)

    def refuse(self, problem: Problem) -> None:
        """Reject the rest of what arrives, after the responses to what came before it (RFC 9112, section 9.3.2)."""
        self.flow.held = b""
        self._refusal = problem
        self._reject_in_turn(problem)

    def _reject_in_turn(self, problem: Problem) -> None:
        is_next = self.cycle is None or self.cycle.response_complete
        is_current = not is_next and not self.pipeline and self.cycle.more_body and not self.cycle.response_started
        if (is_next or is_current) and not self.is_lingering:
            self._abandon()
            self.transport.write(rejection(problem, service_state(self.app_state).headers, self.client))
            self._linger()

    def _abandon(self) -> None:
        """Let the running request know that nobody waits for its response."""
        if self._running is not None:
            cast(ResponseCycle, self._running).abandon()
