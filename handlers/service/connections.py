"""The open connections of a process, and their limit, which leaves file descriptors for everything else."""

import resource
import sys
from contextlib import suppress

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from handlers.service.large_requests import LargeRequests
from handlers.service.one_at_a_time import OneAtATime
from handlers.service.repeated_warning import RepeatedWarning
from handlers.service.turns import Turns
from handlers.service.unread import Unread

LISTENERS = 16
"""How often a process listens on each address."""

# Descriptors for all but clients and the pool: sockets that listen, logs, metrics, libraries, certificates.
_OTHERS = 100 + LISTENERS


def raise_limit() -> None:
    """Raise the limit on file descriptors as far as allowed, for this process and those that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # On macOS the hard limit may be "unlimited", which it does not accept as a soft one.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections(pool_size: int) -> int:
    """Return how many clients may be connected at once, next to a database pool of this size."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(limit - pool_size - _OTHERS, limit // 2)


class Connections(ServerState):
    """The connections of a server. Above `most`, each new one makes it drop the one that has been idle for longest.

    A connection is idle while it has no complete request, so that nobody can occupy one by sending slowly, or nothing.
    If no other connection is idle, the one whose client has not read a response for longest is dropped, or the new one
    itself if all clients read. Without this limit, the event loop would reset all new connections once the process has
    no descriptors left.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.unread = Unread()
        self.large_requests = LargeRequests()
        self.one_at_a_time = OneAtATime()
        self.turns = Turns()
        # A dictionary keeps the order.
        self._idle: dict[HttpToolsProtocol, None] = {}
        self._warning = RepeatedWarning(
            f"Only {most} connections fit the limit on file descriptors. Idle ones closed: %d, ones with an unread "
            "response: %d, new ones refused: %d. Raise the limit (ulimit -n).",
            *("closed", "unread", "refused"),
        )

    def opened(self, connection: HttpToolsProtocol) -> None:
        """Note a new connection, and drop one if there are too many."""
        self._idle[connection] = None
        if len(self.connections) > self._most:
            first = next(iter(self._idle))
            if first is connection and self.unread.make_room():
                self._warning.count("unread")
                return
            del self._idle[first]
            first.transport.abort()
            self._warning.count("refused" if first is connection else "closed")

    def occupied(self, connection: HttpToolsProtocol) -> None:
        """Note that a connection has a complete request."""
        self._idle.pop(connection, None)

    def released(self, connection: HttpToolsProtocol) -> None:
        """Note that a connection has no request, unless it is gone."""
        if connection in self.connections:
            self._idle[connection] = None

    def closed(self, connection: HttpToolsProtocol) -> None:
        """Forget a connection."""
        self._idle.pop(connection, None)
