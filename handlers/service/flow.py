"""Flow control of a connection: the service reads no further while requests wait for their turn."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl

from handlers.service.turns import Turns
from handlers.service.unread import Unread

if TYPE_CHECKING:
    from handlers.service.protocol import HttpProtocol

_END_OF_HEAD = b"\r\n\r\n"
_MOST_AHEAD = 16
# In bytes. A thousand bytes of a chunked body can take the parser as long as a request takes the service.
_MOST_AT_ONCE = 16_384
_MOST_OF_CHUNKS = 1024


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

    def receive(self, data: bytes) -> None:
        """Hold bytes that have arrived, and parse some of them unless other connections wait to do so."""
        self.held += data
        if self._turns.has_waiting:
            self._wait()
        else:
            self.parse()

    def parse(self) -> None:
        """Parse some of the bytes that are held, and the rest when other connections have had their turn."""
        if self.held and not self._connection.pipeline:
            self._parse(self._take())
        if self.held:
            self._wait()

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

    def _wait(self) -> None:
        self.pause_reading()
        if not (self._connection.pipeline or self._has_turn):
            self._has_turn = True
            self._turns.wait(self._take_turn)

    def _take_turn(self) -> None:
        self._has_turn = False
        if not self._connection.transport.is_closing():
            self.parse()
            # A request that has more of its body to read resumes reading itself.
            cycle = self._connection.cycle
            if cycle is None or len(cycle.body) <= HIGH_WATER_LIMIT:
                self.resume_reading()

    def _take(self) -> bytes:
        """Return, and hold no longer, bytes that are at most 16 requests, or part of a body."""
        cycle = self._connection.cycle
        end = min(cycle.rest if cycle else 0, _MOST_AT_ONCE) or self._end_of_requests()
        data, self.held = self.held[:end], self.held[end:]
        return data

    def _end_of_requests(self) -> int:
        cycle = self._connection.cycle
        if cycle and cycle.more_body:
            return _MOST_OF_CHUNKS
        if len(self.held) > _MOST_OF_CHUNKS and self._may_have_chunks():
            return self.held.find(_END_OF_HEAD, 0, _MOST_AT_ONCE) + len(_END_OF_HEAD)
        # The first request may end with the first bytes, if its head began in earlier ones.
        if self.held.count(_END_OF_HEAD, 0, _MOST_AT_ONCE) < _MOST_AHEAD:
            return _MOST_AT_ONCE
        end = 0
        for _ in range(_MOST_AHEAD - 1):
            end = self.held.index(_END_OF_HEAD, end) + len(_END_OF_HEAD)
        return end

    def _may_have_chunks(self) -> bool:
        """Return whether a head ends in what is parsed next, and a chunked body may follow."""
        first = self.held[:_MOST_AT_ONCE]
        return _END_OF_HEAD in first and (self._connection.is_in_head or b"chunked" in first.lower())
