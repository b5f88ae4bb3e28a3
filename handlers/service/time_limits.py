"""Time limits on clients: a look at every connection each second, instead of timers for each request."""

import socket
import struct
import sys
from asyncio import Transport
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from typing import NamedTuple, Protocol

from uvicorn.protocols.http.flow_control import FlowControl

from handlers.service.lingering import unacknowledged
from handlers.service.lost_clients import is_reset

# In bytes per second: what a body must come with, and a response be read with, when its time is up.
_LEAST_RATE = 1024
# In Linux's `struct tcp_info`: how many bytes the client has acknowledged, as an unsigned integer of 64 bits.
_ACKNOWLEDGED = struct.Struct("120xQ")


class Part(Enum):
    """What a client sends next: the rest of a head (or the first one), the rest of a body, or another request."""

    HEAD = "head"
    BODY = "body"
    NEXT = "next"


class Awaited(NamedTuple):
    """A part that a client has to send, the object that stands for its message, and how many bytes have come."""

    part: Part
    message: object
    received: int = 0


class Connection(Protocol):
    """A connection, as far as the time limits need it. `is_lingering` is true once all that is left is to close it."""

    transport: Transport
    is_lingering: bool

    @property
    def flow(self) -> FlowControl:
        """The flow control, which says whether reading is paused."""

    def awaited(self) -> Awaited | None:
        """Return what the client has to send; None while the service has to act first."""

    def time_out(self, part: Part) -> None:
        """End what is late."""


class _Unsent(NamedTuple):
    """Bytes that the client has not read, and those that it has, when the connection was last looked at."""

    size: int
    acknowledged: int
    deadline: float


class TimeLimits:
    """The limits on the connections of a process, in seconds.

    `head` is for a head from its first byte, or for a connection that sends nothing. `body` is for a body, which may
    take longer while it comes with at least 1 KiB/s, and for the responses that a client has not read, in the same way.
    `keep_alive` is for a connection between requests.
    """

    def __init__(self, *, head: float, body: float, keep_alive: float) -> None:
        self._seconds = {Part.HEAD: head, Part.BODY: body, Part.NEXT: keep_alive}
        # Counted in looks: the time in which this process was suspended, or too busy to read, is not the clients'.
        self._now = 0.0
        self._awaited: dict[Connection, tuple[Awaited, float]] = {}
        self._unsent: dict[Connection, _Unsent] = {}

    def look(self, connections: Iterable[Connection]) -> None:
        """End what is late. To be called every second, with all connections."""
        self._now += 1
        everyone = list(connections)
        self._unsent = {one: unsent for one in everyone if (unsent := self._unsent_of(one))}
        for one, unsent in self._unsent.items():
            if unsent.deadline < self._now:
                one.transport.abort()
        for one in everyone:
            # While it reads, the event loop notices by itself.
            if one.flow.read_paused and is_reset(one.transport):
                one.transport.abort()
        self._awaited = {one: (awaited, self._due(one, awaited)) for one in everyone if (awaited := one.awaited())}
        for one, (awaited, deadline) in self._awaited.items():
            if deadline < self._now:
                one.time_out(awaited.part)

    def _due(self, connection: Connection, awaited: Awaited) -> float:
        """Return when a client must have sent what is awaited."""
        latest = self._now + self._seconds[awaited.part]
        before, deadline = self._awaited.get(connection, (None, 0.0))
        if before is None or before.part is not awaited.part or before.message is not awaited.message:
            return latest
        return min(latest, deadline + (awaited.received - before.received) / _LEAST_RATE)

    def _unsent_of(self, connection: Connection) -> _Unsent | None:
        """Return what a client has not read, and until when it must read more of it; None if it has read everything."""
        transport = connection.transport
        # What the system buffers matters only if the connection waits until it is read, which may be never.
        size = unacknowledged(transport) if connection.is_lingering else transport.get_write_buffer_size()
        if size == 0:
            return None
        acknowledged = _acknowledged(transport)
        latest = self._now + self._seconds[Part.BODY]
        before = self._unsent.get(connection)
        if before is None:
            return _Unsent(size, acknowledged, latest)
        read = acknowledged - before.acknowledged or max(before.size - size, 0)
        return _Unsent(size, acknowledged, min(latest, before.deadline + read / _LEAST_RATE))


def _acknowledged(transport: Transport) -> int:
    """Return how many bytes the client has acknowledged, or 0 if the system does not say.

    The system buffers megabytes for a connection, and takes no more before a third of them is gone. A client that reads
    slowly would seem to read nothing.
    """
    if sys.platform == "linux":
        # An old kernel says less, and a connection may be gone already.
        with suppress(OSError, struct.error):
            info = transport.get_extra_info("socket").getsockopt(
                socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size
            )
            return int(_ACKNOWLEDGED.unpack(info)[0])
    return 0
