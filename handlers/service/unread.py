"""Responses that clients do not read: which connections wait for that, for how long, and with how much memory."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from handlers.service.repeated_warning import RepeatedWarning

# A client that reads makes room in the buffers of the system at least this often, in seconds.
_PATIENCE = 5.0
# In bytes. Room for 70 of the longest lists; a machine that is large enough for a worker has it to spare.
_MOST = 256 * 2**20


@dataclass(slots=True)
class _Wait:
    """When a connection began to wait, by the clock of the event loop, and the contents that it has to send."""

    since: float
    contents: list[bytes] = field(default_factory=list)


class Unread:
    """The connections of a process whose clients have not read a response, the one that has waited for longest first.

    Once a connection is aborted here, it is forgotten. This happens to the first if the contents of all responses take
    more than 256 MiB. Documents that many clients load count once.
    """

    def __init__(self) -> None:
        # A dictionary keeps the order.
        self._waits: dict[asyncio.Transport, _Wait] = {}
        # By the identity of a content: how many connections have to send it.
        self._uses = Counter[int]()
        self._size = 0
        self._warning = RepeatedWarning(
            f"Responses that clients do not read take {_MOST // 2**20} MiB. Connections closed: %d.", "closed"
        )

    def begin(self, transport: asyncio.Transport) -> None:
        """Note that a connection has more to send than its client lets it send."""
        self._waits[transport] = _Wait(asyncio.get_running_loop().time())

    def hold(self, transport: asyncio.Transport, content: bytes) -> None:
        """Note that this content is kept in memory until the connection has been read, if it waits for that."""
        if transport in self._waits:
            self._waits[transport].contents.append(content)
            if not self._uses[id(content)]:
                self._size += len(content)
            self._uses[id(content)] += 1
            while self._size > _MOST:
                self._abort_first()
                self._warning.count("closed")

    def end(self, transport: asyncio.Transport) -> None:
        """Note that everything is sent, or that the connection is gone."""
        if transport in self._waits:
            for content in self._waits.pop(transport).contents:
                self._uses[id(content)] -= 1
                if not self._uses[id(content)]:
                    del self._uses[id(content)]
                    self._size -= len(content)

    def make_room(self) -> bool:
        """Abort the connection that has waited for longest, and return True; False if none has waited for long."""
        first = next(iter(self._waits.values()), None)
        if first is None or asyncio.get_running_loop().time() - first.since < _PATIENCE:
            return False
        self._abort_first()
        return True

    def _abort_first(self) -> None:
        first = next(iter(self._waits))
        self.end(first)
        first.abort()
