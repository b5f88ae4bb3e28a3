"""Requests that failed because of the database: is it away, or do only some statements fail?"""

import asyncio
from collections.abc import Callable

from handlers.service.repeated_warning import RepeatedWarning
from storage.driver.database import Database
from storage.errors import Busy, Unavailable

# As for readiness: a database that responds slowly is not away.
_TIMEOUT_SECONDS = 3.0
_WARNINGS = {
    "away": "The database is away. Requests that failed: %d.",
    "statement": "The database responds, but some statements fail or take too long. Requests that failed: %d. "
    "In a cluster, one of the nodes may be away.",
    "share": "Statements of single users use up their shares of the connections. Requests that failed: %d.",
}


class Failures:
    """Counts failed requests by reason: in the metrics, and in a warning for each reason, at most once a minute.

    A statement that takes too long fails in the same way whether the database is away or only a node of it. So after a
    failure, the database is asked to respond.
    """

    def __init__(self, database: Database, count: Callable[[str], None] | None) -> None:
        """`count` adds a request to the metrics, by its reason; None means that there are no metrics."""
        self._database, self._count = database, count
        self._warnings = {reason: RepeatedWarning(message, reason) for reason, message in _WARNINGS.items()}
        self._unexplained = 0
        self._asking: asyncio.Task[None] | None = None

    def add(self, error: Unavailable) -> None:
        """Count a request that failed with this error."""
        if isinstance(error, Busy):
            self._report("share")
            return
        self._unexplained += 1
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        while self._unexplained:
            ping = await self._database.ping(within=_TIMEOUT_SECONDS)
            failed, self._unexplained = self._unexplained, 0
            for _ in range(failed):
                self._report("statement" if ping.up else "away")

    def _report(self, reason: str) -> None:
        self._warnings[reason].count(reason)
        if self._count is not None:
            self._count(reason)
