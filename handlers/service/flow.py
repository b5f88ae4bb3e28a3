"""Flow control of a connection: the service reads no further while requests wait for their turn."""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl

from handlers.service.unread import Unread

_END_OF_HEAD = b"\r\n\r\n"
_MOST_AHEAD = 16


class Flow(FlowControl):
    """Holds the bytes that are not parsed yet, and resumes reading only when there are none.

    Uvicorn parses all that has arrived, and reads on whenever a request asks for its body or has its response. A
    queued request takes a hundred times the memory of its bytes: `tests/faults/test_pipelines.py`.
    """

    held = b""

    def __init__(self, transport: asyncio.Transport, unread: Unread) -> None:
        super().__init__(transport)
        self._unread = unread
        # Writing is paused whenever the system does not take everything, and until it has.
        transport.set_write_buffer_limits(high=0)

    def take(self) -> bytes:
        """Return, and hold no longer, bytes that are at most 16 requests."""
        data, end = self.held, 0
        # The first request may end with the first bytes, if its head began in earlier ones.
        for _ in range(_MOST_AHEAD - 1):
            end = data.find(_END_OF_HEAD, end) + len(_END_OF_HEAD)
            if end < len(_END_OF_HEAD):
                end = len(data)
                break
        self.held = data[end:]
        return data[:end]

    def resume_reading(self) -> None:
        """Resume reading, unless bytes are held."""
        if not self.held:
            super().resume_reading()

    def pause_writing(self) -> None:
        """Note that the client has to read before the service can write."""
        super().pause_writing()
        self._unread.begin(self._transport)

    def resume_writing(self) -> None:
        """Note that everything is sent, or that the connection is gone."""
        super().resume_writing()
        self._unread.end(self._transport)

    def hold(self, content: bytes) -> None:
        """Count what is kept in memory until the client has read it, if it has to read first."""
        self._unread.hold(self._transport, content)
