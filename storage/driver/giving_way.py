"""Giving way: what waits for a user's lock does not keep a connection that others wait for."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg
from psycopg.errors import LockNotAvailable, QueryCanceled
from sqlalchemy import ARRAY, Integer, bindparam, text

from storage.driver.connection import ExclusiveConnection
from storage.driver.query import Connection, Query
from storage.errors import Busy, Unavailable

Result = TypeVar("Result")

_TICK_SECONDS = 0.1
# How long something that has given way has no connection, before it tries again.
_PAUSE_SECONDS = 0.1
# Only the server knows who waits for a row's lock. What waits for the disk or a synchronous standby has done its work,
# and must go on.
_CANCEL = Query(
    text("""
        SELECT pid, pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE pid = ANY(:pids) AND wait_event_type = 'Lock' AND wait_event IN ('transactionid', 'tuple')
        AND query_start < clock_timestamp() - interval '0.1 s'
    """).bindparams(bindparam("pids", type_=ARRAY(Integer)))
)
# Behind a connection pooler, nobody can tell which session carries out which statement. So no write there waits for a
# lock for longer than it would if others waited for its connection. The limit holds until the transaction ends.
LIMIT_LOCKS = Query(text("SELECT set_config('lock_timeout', '200ms', true)"))


class GaveWay(psycopg.OperationalError):
    """A statement waited for a lock while others waited for its connection. It had no effect."""


class GivingWay:
    """Cancels what waits for a row's lock, again and again while others wait for a connection.

    What has given way tries again, on at most half of the connections.
    """

    def __init__(
        self, lent: Collection[ExclusiveConnection], maximum: int, aside: Connection, others: Callable[[], object]
    ) -> None:
        """`lent` are the connections in use, of `maximum`. `aside` is another one.

        `others` returns whether statements wait for a connection.
        """
        self._lent, self._maximum, self._aside, self._others = lent, maximum, aside, others
        self._places = asyncio.Semaphore(maximum // 2 or 1)
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0

    @contextmanager
    def others_wait(self) -> Iterator[None]:
        """Wait for a connection during the `with` block."""
        self.waiting += 1
        self.begin()
        try:
            yield
        finally:
            self.waiting -= 1

    async def insist(self, attempt: Callable[[], Awaitable[Result]], deadline: float) -> Result:
        """Return what `attempt` returns, once it does not give way. Raises Busy if it does so until the deadline."""
        try:
            return await attempt()
        except GaveWay:
            loop = asyncio.get_running_loop()
        while loop.time() + _PAUSE_SECONDS < deadline:
            await asyncio.sleep(_PAUSE_SECONDS)
            with self.others_wait():
                await self._places.acquire()
            try:
                return await attempt()
            except GaveWay:
                continue
            finally:
                self._places.release()
        raise Busy("the user's lock did not become free")

    def begin(self) -> None:
        """Begin to cancel. To be called when something has to wait for a connection."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def end(self) -> None:
        """Cancel nothing any more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if not (self.waiting or self._others()):
                return
            # Those who wait for a connection that is being opened need none of these.
            if not self.waiting and len(self._lent) < self._maximum:
                continue
            with suppress(Unavailable, psycopg.Error):
                await self._cancel()

    async def _cancel(self) -> None:
        asked = {one.backend[0]: one for one in self._lent if one.backend}
        not_before = {pid for pid, one in asked.items() if not one.gives_way}
        for one in asked.values():
            # The error may come before the reply that says to whom it comes, or only after the next round.
            one.gives_way = True
        cancelled = {pid for pid, _ in await _CANCEL.fetch_all(self._aside, pids=[*asked])}
        for pid in not_before - cancelled:
            asked[pid].gives_way = False


def has_given_way(connection: ExclusiveConnection, error: Exception) -> bool:
    """Return whether a statement failed with this error because it had to give way."""
    return isinstance(error, LockNotAvailable) or (isinstance(error, QueryCanceled) and connection.gives_way)
