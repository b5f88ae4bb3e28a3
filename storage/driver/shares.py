"""Each user's share of the connections: at most half, so that the slow statements of one user leave others the rest."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import psycopg

from storage.driver.pool import none_was_free
from storage.driver.statement import Statement

if TYPE_CHECKING:
    from storage.driver.shared_connection import SharedConnection

_TICK_SECONDS = 0.1
# How long a statement waits for its user's share while none of the statements that occupy it ends.
_STUCK_SECONDS = 1.0


class Shares:
    """Keeps the statements that wait for their user's share, apart from those that wait for any connection."""

    def __init__(self, connections: Sequence["SharedConnection"], maximum: int, wait: float) -> None:
        """`connections` are those in use, of `maximum`; a statement waits at most `wait` seconds."""
        self._connections = connections
        self._most = (maximum + 1) // 2
        self._wait = wait
        self._kept: dict[str | None, deque[Statement]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many statements wait."""
        return sum(map(len, self._kept.values()))

    def open_to(self, owner: str | None) -> Sequence["SharedConnection"]:
        """Return the connections that a user's statement may use: only those that the user occupies, if these are half.

        A connection is occupied by the user of the statement that it runs. Statements without a user may use all.
        """
        occupied = self._occupied(owner)
        return self._connections if owner is None or len(occupied) < self._most else occupied

    def keep(self, statement: Statement, place: Callable[[Statement], bool]) -> bool:
        """Keep a statement whose user has no share left, and return whether it is one.

        `place` puts a statement in line, and returns whether it could.
        """
        if self.open_to(statement.owner) is self._connections:
            return False
        self._kept.setdefault(statement.owner, deque()).append(statement)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick, place)
        return True

    def send(self, place: Callable[[Statement], bool]) -> None:
        """Put the statements in line whose user has a share again, first come first served."""
        for owner, line in [*self._kept.items()]:
            while line and (line[0].future.done() or place(line[0])):
                line.popleft()
            if not line:
                del self._kept[owner]

    def fail(self, error: psycopg.OperationalError) -> None:
        """Fail all statements."""
        for line in self._kept.values():
            for statement in line:
                statement.fail(error)
        self._kept.clear()

    def _occupied(self, owner: str | None) -> list["SharedConnection"]:
        return [one for one in self._connections if (line := one.in_flight) and line[0].owner == owner]

    def _tick(self, place: Callable[[Statement], bool]) -> None:
        """Fail the statements that have waited too long."""
        now = asyncio.get_running_loop().time()
        for owner, line in self._kept.items():
            progress = max((one.first_since for one in self._occupied(owner)), default=now)
            for statement in line:
                if now - statement.created > self._wait:
                    statement.fail(none_was_free(self._wait))
                elif now - max(statement.created, progress) > _STUCK_SECONDS:
                    statement.fail(psycopg.OperationalError("the same user's other statements did not end"))
        self.send(place)
        again = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick, place) if self._kept else None
        self._timer = again
