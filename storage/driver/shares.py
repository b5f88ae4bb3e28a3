"""Each user's share of the connections: at most half, so that the slow statements of one user leave others the rest."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from storage.driver.pool import none_was_free
from storage.driver.statement import Statement
from storage.errors import Busy

if TYPE_CHECKING:
    from storage.driver.shared_connection import SharedConnection

_TICK_SECONDS = 0.1
# How long a statement waits for its user's share while none of the statements that use it up ends.
_STUCK_SECONDS = 1.0


class _Line:
    """The statements of one user that wait for its share, and when another one of the user's last ended."""

    def __init__(self, now: float) -> None:
        self.statements: deque[Statement] = deque()
        self.progress = now
        self._seen: set[tuple[SharedConnection, float]] = set()

    def note_progress(self, occupied: Sequence["SharedConnection"], now: float) -> None:
        """Compare which of the user's statements run with those that ran before."""
        running = {(one, one.first_since) for one in occupied}
        if running != self._seen:
            self.progress, self._seen = now, running


class Shares:
    """Holds back the statements of users who have no share left, apart from those that wait for any connection."""

    def __init__(
        self,
        connections: Sequence["SharedConnection"],
        maximum: int,
        wait: float,
        place: Callable[[Statement], bool],
    ) -> None:
        """`connections` are those in use, of `maximum`, and a statement waits at most `wait` seconds.

        `place` puts a statement in line on one of the connections, and returns whether it could.
        """
        # Where there is only one connection, everybody has to share it.
        self.most = maximum // 2 or maximum + 1
        self._connections, self._wait, self._place = connections, wait, place
        self._lines: dict[str | None, _Line] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many statements are held back."""
        return sum(len(line.statements) for line in self._lines.values())

    def occupied_by(self, owner: str | None) -> list["SharedConnection"]:
        """Return the connections that have statements of a user in line. What is nobody's occupies none."""
        return [one for one in self._connections if owner in one.owners] if owner is not None else []

    def hold_back(self, statement: Statement) -> bool:
        """Hold a statement back if its user has no share left; return whether this is so."""
        if self._has_share(statement.owner):
            return False
        loop = asyncio.get_running_loop()
        line = self._lines.setdefault(statement.owner, _Line(loop.time()))
        line.statements.append(statement)
        if self._timer is None:
            self._timer = loop.call_later(_TICK_SECONDS, self._tick)
        return True

    def send(self) -> None:
        """Put the statements in line whose users have a share again, first come first served."""
        for owner, line in [*self._lines.items()]:
            waiting = line.statements
            while waiting and (waiting[0].future.done() or self._place(waiting[0])):
                waiting.popleft()
            if not waiting:
                del self._lines[owner]

    def fail(self, error: Exception) -> None:
        """Fail all statements that are held back."""
        for line in self._lines.values():
            for statement in line.statements:
                statement.fail(error)
        self._lines.clear()

    def _has_share(self, owner: str | None) -> bool:
        return len(self.occupied_by(owner)) < self.most

    def _tick(self) -> None:
        """Fail the statements that have waited too long, and send what can be sent."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        for owner, line in self._lines.items():
            line.note_progress(self.occupied_by(owner), now)
            is_stuck = now - line.progress > _STUCK_SECONDS and not self._has_share(owner)
            for statement in line.statements:
                waited = now - statement.created
                if waited > self._wait:
                    statement.fail(none_was_free(self._wait))
                elif is_stuck and waited > _STUCK_SECONDS:
                    statement.fail(Busy("the same user's other statements did not end"))
        self.send()
        if self._lines:
            self._timer = loop.call_later(_TICK_SECONDS, self._tick)
