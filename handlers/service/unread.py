"""Responses that clients do not read: which connections wait for that, and for how long."""

import asyncio

# A client that reads makes room in the buffers of the system at least this often, in seconds.
_PATIENCE = 5.0


class Unread:
    """The connections of a process whose clients have not read a response, the one that has waited for longest first.

    Once a connection is aborted here, it is forgotten.
    """

    def __init__(self) -> None:
        # A dictionary keeps the order. The values are the times since when, by the clock of the event loop.
        self._since: dict[asyncio.Transport, float] = {}

    def begin(self, transport: asyncio.Transport) -> None:
        """Note that a connection has more to send than its client lets it send."""
        self._since[transport] = asyncio.get_running_loop().time()

    def end(self, transport: asyncio.Transport) -> None:
        """Note that everything is sent, or that the connection is gone."""
        self._since.pop(transport, None)

    def make_room(self) -> bool:
        """Abort the connection that has waited for longest, and return True; False if none has waited for long."""
        first = next(iter(self._since), None)
        if first is None or asyncio.get_running_loop().time() - self._since[first] < _PATIENCE:
            return False
        del self._since[first]
        first.abort()
        return True
