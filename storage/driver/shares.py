"""Each user's share of the connections: at most half, so that the slow statements of one user leave others the rest."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from storage.driver.statement import Statement
from storage.errors import Busy, Unavailable

if TYPE_CHECKING:
    from storage.driver.shared_connection import SharedConnection

_TICK_SECONDS = 0.1
# How long a statement is held back while none of the statements that use up its user's share ends.
_STUCK_SECONDS = 1.0


class Line:
    """Statements of one user that are held back, oldest first, and since when the same ones have used up its share."""

    def __init__(self, now: float) -> None:
        self.statements: deque[Statement] = deque()
        self._since = now
        self._running: set[tuple[SharedConnection, float]] = set()

    def is_stuck(self, occupied: Sequence["SharedConnection"], now: float) -> bool:
        """Return whether the user's statements here have made no progress. To be called at each tick."""
        running = {(one, one.first_since) for one in occupied}
        if running != self._running:
            self._since, self._running = now, running
        return now - self._since > _STUCK_SECONDS

    def fail(self, error: Exception, *, created_before: float) -> None:
        """Fail the statements that are older than this."""
        for statement in self.statements:
            if statement.created < created_before:
                statement.fail(error)


class Shares:
    """Holds back the statements of users who have no share left, apart from those that wait for any connection."""

    def __init__(
        self,
        connections: Sequence["SharedConnection"],
        maximum: int,
        ping: Callable[[], Awaitable[object]],
        on_tick: Callable[[], None],
    ) -> None:
        """`connections` are those in use, of `maximum`.

        `ping` asks the database to respond, and raises Unavailable if it does not. `on_tick` is called now and then
        while statements are held back.
        """
        # Where there is only one connection, everybody has to share it.
        self._most = maximum // 2 or maximum + 1
        self._connections, self._ping, self._on_tick = connections, ping, on_tick
        self._lines: dict[str | None, Line] = {}
        self._watch: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return how many statements are held back and have not failed meanwhile."""
        return sum(not one.future.done() for line in self._lines.values() for one in line.statements)

    def occupied_by(self, owner: str | None) -> list["SharedConnection"]:
        """Return the connections that have statements of a user in line."""
        return [one for one in self._connections if owner in one.owners]

    def has_share(self, owner: str | None) -> bool:
        """Return whether a user may occupy another connection. What is nobody's always may."""
        return len(self._connections) < self._most or self._free(owner) > 0

    def hold_back(self, statement: Statement) -> bool:
        """Hold a statement back if its user has no share left; return whether this is so."""
        if self.has_share(statement.owner):
            return False
        loop = asyncio.get_running_loop()
        insert(self._lines.setdefault(statement.owner, Line(loop.time())).statements, statement)
        if self._watch is None or self._watch.done():
            self._watch = loop.create_task(self._fail_what_is_stuck())
        return True

    def release(self) -> Iterator[Statement]:
        """Yield, and hold back no longer, as many of each user's statements as the user may occupy connections."""
        for owner, line in [*self._lines.items()]:
            free = self._free(owner)
            while free and line.statements:
                if not (statement := line.statements.popleft()).future.done():
                    free -= 1
                    yield statement
            if not line.statements:
                del self._lines[owner]

    def fail(self, error: Exception) -> None:
        """Fail all statements that are held back."""
        for line in self._lines.values():
            line.fail(error, created_before=math.inf)
        self._lines.clear()

    def _free(self, owner: str | None) -> int:
        """Return how many more connections a user may occupy."""
        if owner is None:
            return self._most
        occupied = self.occupied_by(owner)
        if len(occupied) >= self._most:
            # Those that the network has forgotten are of use to nobody.
            occupied = [one for one in occupied if not one.loses_packets]
        return max(0, self._most - len(occupied))

    async def _fail_what_is_stuck(self) -> None:
        while self._lines:
            await asyncio.sleep(_TICK_SECONDS)
            # If the database responds to nobody, it is not the user's statements that are slow.
            if self._stuck() and await self._responds():
                await asyncio.sleep(_TICK_SECONDS)
                before = asyncio.get_running_loop().time() - _STUCK_SECONDS
                for line in self._stuck():
                    line.fail(Busy("the same user's other statements did not end"), created_before=before)
            self._on_tick()

    def _stuck(self) -> list[Line]:
        now = asyncio.get_running_loop().time()
        return [line for owner, line in self._lines.items() if line.is_stuck(self.occupied_by(owner), now)]

    async def _responds(self) -> bool:
        try:
            await self._ping()
        except Unavailable:
            return False
        return True


def insert(line: deque[Statement], statement: Statement) -> None:
    """Put a statement into a line that is ordered by when the statements were created."""
    place = len(line)
    if line and line[-1].created > statement.created:
        place = next(index for index, one in enumerate(line) if one.created > statement.created)
    line.insert(place, statement)
