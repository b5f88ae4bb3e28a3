"""Flow control of a connection: the service reads no further while requests wait for their turn."""

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl

from handlers.service.lost_clients import is_reset
from handlers.service.turns import Turns
from handlers.service.unread import Unread

if TYPE_CHECKING:
    from handlers.service.protocol import HttpProtocol

_END_OF_HEAD = b"\r\n\r\n"
_MOST_AHEAD = 16
# In bytes: of a body whose length is known, and of everything else. In chunks of one byte, the parser takes 0.1 ms for
# a thousand bytes, which is as long as a request takes.
_MOST_OF_BODY = 16_384
_MOST_AT_ONCE = 1024
# How long a connection parses in one turn.
_TURN_SECONDS = 0.0002


class Flow(FlowControl):
    """Holds the bytes that are not parsed yet, and resumes reading only when there are none.

    Uvicorn parses all that has arrived, and reads on whenever a request asks for its body or has its response. A
    queued request takes a hundred times the memory of its bytes: `tests/faults/test_pipelines.py`. Some bodies take
    so long to parse that nobody else would be served: `tests/faults/test_costly_bodies.py`.
    """

    def __init__(
        self, connection: "HttpProtocol", parse: Callable[[bytes], None], unread: Unread, turns: Turns
    ) -> None:
        super().__init__(connection.transport)
        # Writing is paused whenever the system does not take everything, and until it has.
        connection.transport.set_write_buffer_limits(high=0)
        self.held = b""
        self._unread = unread
        self._turns = turns
        self._connection = connection
        self._parse = parse
        self._has_turn = False
        self._drops = False

    def receive(self, data: bytes) -> None:
        """Hold bytes that have arrived, and parse some of them unless they are many and other connections wait."""
        if self._drops:
            return
        waits = self._turns.has_waiting and not self._is_request(data)
        self.held += data
        if waits:
            self._wait()
        else:
            self.parse()

    def parse(self) -> None:
        """Parse some of the bytes that are held, and the rest when other connections have had their turn."""
        end = None
        while self.held and not self._connection.pipeline:
            self._parse(self._take())
            if self.held:
                end = end or perf_counter() + _TURN_SECONDS
                if self._rest() or perf_counter() >= end:
                    break
        if self.held:
            self._wait()

    def drop(self) -> None:
        """Hold nothing, and ignore what still arrives."""
        self.held, self._drops = b"", True

    def resume_reading(self) -> None:
        """Resume reading, unless bytes are held."""
        if not self.held:
            super().resume_reading()

    def pause_writing(self) -> None:
        """Note that the client has to read before the service can write."""
        super().pause_writing()
        self._unread.begin(self._connection.transport)

    def resume_writing(self) -> None:
        """Note that everything is sent, or that the connection is gone."""
        super().resume_writing()
        self._unread.end(self._connection.transport)

    def hold(self, content: bytes) -> None:
        """Count what is kept in memory until the client has read it, if it has to read first."""
        self._unread.hold(self._connection.transport, content)

    def _is_request(self, data: bytes) -> bool:
        """Return whether bytes that have arrived are few, and neither follow others nor belong to a body."""
        cycle = self._connection.cycle
        return not self.held and len(data) <= _MOST_AT_ONCE and not (cycle and cycle.more_body)

    def _wait(self) -> None:
        self.pause_reading()
        if not (self._connection.pipeline or self._has_turn):
            self._has_turn = True
            self._turns.wait(self._take_turn)

    def _take_turn(self) -> None:
        self._has_turn = False
        transport = self._connection.transport
        if is_reset(transport):
            transport.abort()
        elif not transport.is_closing():
            self.parse()
            # A request that has more of its body to read resumes reading itself.
            cycle = self._connection.cycle
            if cycle is None or len(cycle.body) <= HIGH_WATER_LIMIT:
                self.resume_reading()

    def _take(self) -> bytes:
        """Return, and hold no longer, bytes that are at most 16 requests, or part of a body."""
        end = min(self._rest(), _MOST_OF_BODY) or self._end_of_requests()
        data, self.held = self.held[:end], self.held[end:]
        return data

    def _rest(self) -> int:
        """Return how many bytes of a body are still to come, if its length is known."""
        cycle = self._connection.cycle
        return cycle.rest if cycle else 0

    def _end_of_requests(self) -> int:
        # The first request may end with the first bytes, if its head began in earlier ones.
        if self.held.count(_END_OF_HEAD, 0, _MOST_AT_ONCE) < _MOST_AHEAD:
            return _MOST_AT_ONCE
        end = 0
        for _ in range(_MOST_AHEAD - 1):
            end = self.held.index(_END_OF_HEAD, end) + len(_END_OF_HEAD)
        return end
