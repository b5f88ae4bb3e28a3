"""Turns for requests that take long to read: one at a time has its turn, and others are served in between.

What the service does with a large head before its first pause can take milliseconds, such as to decode a long query,
and so can parsing a large body.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from time import perf_counter

from handlers.service.lost_clients import has_ended, is_reset

LARGE = 4096
"""In bytes. A head or a body of this size takes a millisecond at most, and thousands may arrive at once."""


_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(slots=True)
class _Place:
    """A place in the line: the turn, the connection, and whether its client may get an interim response."""

    turn: asyncio.Future[None]
    transport: asyncio.Transport
    takes_interim: bool

    def is_void(self) -> bool:
        """Return whether nobody waits. A connection that the client has reset is closed, which ends the turn."""
        if self.turn.done():
            return True
        if is_reset(self.transport):
            self.transport.abort()
            return True
        return False

    def asks(self) -> bool:
        """Ask a client that has ended what it sends whether it still reads, once, and return whether it was asked.

        If the client is gone, its system resets the connection when it gets an interim response (RFC 9110, section
        15.2), and not before.
        """
        if self.takes_interim and has_ended(self.transport):
            self.takes_interim = False
            self.transport.write(_INTERIM)
            return True
        return False


class OneAtATime:
    """Gives turns, first come first served. A turn lasts until the next pause of the task that waited for it.

    After each turn, the event loop serves others for at least as long as it took: `tests/faults/test_costly_bodies.py`
    and `tests/faults/test_costly_heads.py`.
    """

    def __init__(self) -> None:
        self._waiting = deque[_Place]()
        self._is_scheduled = False
        self._began = 0.0

    def join(self, transport: asyncio.Transport, *, takes_interim: bool) -> asyncio.Future[None]:
        """Return a turn, which begins when it is done. If it is done or cancelled before, it is passed over.

        `takes_interim` says whether the client may get an interim response.
        """
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(_Place(turn, transport, takes_interim))
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._next)
        return turn

    def _next(self) -> None:
        loop = asyncio.get_running_loop()
        place = self._first()
        self._is_scheduled = place is not None
        if place is not None:
            # The event loop calls these, and continues the task in between, one right after the other.
            loop.call_soon(self._begin)
            place.turn.set_result(None)
            loop.call_soon(self._end)

    def _first(self) -> _Place | None:
        """Return the first place whose client waits. While others wait, those who may be gone go to the end."""
        while self._waiting:
            place = self._waiting.popleft()
            if place.is_void():
                continue
            if self._waiting and place.asks():
                self._waiting.append(place)
            else:
                return place
        return None

    def _begin(self) -> None:
        self._began = perf_counter()

    def _end(self) -> None:
        asyncio.get_running_loop().call_later(perf_counter() - self._began, self._next)
