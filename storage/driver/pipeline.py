"""The pipeline: single statements of many requests share a few connections, and slow ones hold up few others."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import errors

from storage.driver.connection import ExclusiveConnection
from storage.driver.giving_way import GaveWay, GivingWay
from storage.driver.pool import AWAY, Pool, first_line, none_was_free
from storage.driver.query import PING, Connection, Query, Row
from storage.driver.shared_connection import SharedConnection
from storage.driver.shares import Shares, insert
from storage.driver.statement import NoEffect, Statement, Struck
from storage.driver.turns import Turns
from storage.errors import Unavailable

# The errors of a statement that met others at the wrong moment. It had no effect, and may succeed on a second attempt.
CONFLICTS = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)
# For this long after it has held up others, a query gets a connection without other statements, if there is one.
_SLOW_SECONDS = 1.0
# The least time between two replacements of connections whose sessions are read-only.
_RENEW_SECONDS = 1.0
# How long `close` waits for attempts to connect to a database that does not respond.
_CLOSE_SECONDS = 1.0


class Pipeline:
    """Runs each statement on the shared connection with the least in flight, and opens connections as needed."""

    def __init__(
        self,
        pool: Pool,
        on_write: Callable[[str | None], object] = lambda _: None,
        aside: Connection | None = None,
    ) -> None:
        """`on_write` is called with the owner of each write that has ended, whether or not it took effect.

        `aside` is a connection to the same database that is not of the pool.
        """
        self._pool = pool
        self.on_write = on_write
        self._connections: list[SharedConnection] = []
        self._waiting: deque[Statement] = deque()
        self._shares = Shares(self._connections, pool.max_size, lambda: self.run(PING, {}), self.on_reply)
        self._turns = Turns(pool.timeout)
        self.giving_way = GivingWay(pool.lent, pool.max_size, aside or self, lambda: self._waiting)
        self._slow_until: dict[bytes, float] = {}
        self._waiting_transactions = 0
        self._renews_at = 0.0
        self._opening: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()

    async def run(self, query: Query, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """Execute the query and return all its rows. A user's writes are executed one after the other.

        If it has no effect, because its connection breaks, it holds up others or it conflicts with another, it is
        repeated once for each, in the time that is left, and again and again if it gives way while it waits for a lock,
        or if a cancellation that is meant for another hits it.
        Raises Busy and Unavailable if this does not help, if no connection becomes free in time, or if the statement
        takes too long.
        """
        deadline = self._loop.time() + self._pool.timeout + self._pool.statement_timeout
        attempt = partial(self._repeat, query, parameters, deadline)
        if not query.is_write:
            return await attempt()
        owner = parameters.get("user_id")
        turn = None if owner is None else await self._turns.take(owner)
        try:
            return await self.giving_way.insist(attempt, deadline)
        finally:
            if turn is not None:
                turn.release()

    async def _repeat(self, query: Query, parameters: Mapping[str, Any], deadline: float) -> Sequence[Row]:
        repeated: list[type[Exception]] = []
        while True:
            try:
                return await self._send(Statement(query, parameters, self._loop, deadline, is_repeated=bool(repeated)))
            except GaveWay:
                raise
            except Struck:
                continue
            except (*AWAY, *CONFLICTS) as error:
                if not isinstance(error, (NoEffect, *CONFLICTS)) or type(error) in repeated:
                    raise Unavailable(first_line(error)) from error
                repeated.append(type(error))

    async def lend(self) -> ExclusiveConnection:
        """Return a connection for a transaction, to be given back to the pool. Raises psycopg.OperationalError."""
        self._waiting_transactions += 1
        try:
            self._make_room()
            return await self._pool.take()
        finally:
            self._waiting_transactions -= 1

    def load(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many statements wait for one."""
        used = [connection for connection in self._connections if connection.in_flight]
        now = self._loop.time()
        held_up = [one for one in used if not one.has_room(now, is_write=one.in_flight[0].query.is_write)]
        behind = sum(len(connection.in_flight) - 1 for connection in held_up)
        in_use = len(self._pool.lent) - len(self._connections) + len(used)
        waiting = sum(not statement.future.done() for statement in self._waiting)
        return in_use, waiting + len(self._shares) + behind + self._turns.waiting + self.giving_way.waiting

    def has_idle(self) -> bool:
        """Return whether a connection is there that does nothing."""
        idle = any(not (one.is_retiring or one.in_flight) for one in self._connections)
        return idle or self._pool.get_stats()["pool_available"] > 0

    def has_waiting(self) -> bool:
        """Return whether statements or transactions wait for a connection."""
        return bool(self._waiting or self._waiting_transactions)

    async def open(self) -> None:
        """Open the pool, without waiting for the database."""
        self._loop = asyncio.get_running_loop()
        await self._pool.open()

    async def close(self) -> None:
        """Fail all statements, and close the pool."""
        self.giving_way.end()
        if self._opening is not None:
            self._opening.cancel()
        error = psycopg.OperationalError("the service is stopping")
        self._fail_waiting(error)
        for connection in [*self._connections]:
            connection.retire()
        await self._pool.close(timeout=_CLOSE_SECONDS)
        for connection in [*self._connections]:
            connection.break_off(error)
        if self._background:
            await asyncio.wait(self._background)

    def on_reply(self) -> None:
        """Send the statements that wait, first come first served."""
        for statement in self._shares.release():
            insert(self._waiting, statement)
        while self._waiting and (self._waiting[0].future.done() or self._place_or_hold_back(self._waiting[0])):
            self._waiting.popleft()

    def on_slow(self, statement: Statement) -> None:
        """Keep other statements away from this query for a while. A write may only have waited for its user's lock."""
        if not statement.query.is_write:
            self._slow_until[statement.query.sql] = statement.sent + _SLOW_SECONDS

    def on_end(self, connection: SharedConnection, *, lost: bool) -> None:
        """Give a connection back. If it broke while in use, replace all others, which may be broken too."""
        self._connections.remove(connection)
        self._in_background(self._give_back(connection.exclusive))
        if lost:
            self.suspect_others()

    def end(self, statement: Statement) -> None:
        """Set the outcome of a statement."""
        # A request that has been cancelled does not wait for its write any more, but the write counts all the same.
        if statement.query.is_write:
            self.on_write(statement.owner)
        statement.end()
        if statement.error is not None:
            self.on_error(statement.error)

    def on_error(self, error: Exception) -> None:
        """Replace all connections if the error is that a session is read-only, at most once a second.

        A session keeps the setting that it began with, although the database has become writable since.
        """
        now = self._loop.time()
        if isinstance(error, errors.ReadOnlySqlTransaction) and self._renews_at <= now:
            self._renews_at = max(now, self._renews_at + _RENEW_SECONDS)
            self._loop.call_at(self._renews_at, self.suspect_others)

    def on_unknown(self, connection: ExclusiveConnection, write: Statement) -> None:
        """Fail the write of a broken connection, once the server has noticed that it is broken."""
        self._pool.forsake(connection)
        self._in_background(self._fail_later(write, connection.notices_within))

    async def _fail_later(self, write: Statement, seconds: float) -> None:
        if not write.future.done():
            await asyncio.sleep(seconds)
        self.end(write)

    def suspect_others(self) -> None:
        """Replace all connections, because one has broken while in use, or is read-only."""
        self._in_background(self._pool.drain())
        for other in [*self._connections]:
            other.retire()

    def _send(self, statement: Statement) -> asyncio.Future[Sequence[Row]]:
        if self._waiting or not self._place(statement):
            if not self._shares.hold_back(statement):
                self._waiting.append(statement)
                self.giving_way.begin()
                self.on_reply()
            latest = min(statement.created + self._pool.timeout, statement.deadline)
            timer = self._loop.call_at(latest, self._expire, statement)
            statement.future.add_done_callback(lambda _: timer.cancel())
        return statement.future

    def _fail_waiting(self, error: psycopg.OperationalError) -> None:
        while self._waiting:
            self._waiting.popleft().fail(error)
        self._shares.fail(error)

    def _expire(self, statement: Statement) -> None:
        # Once a statement is in line, its connection enforces the time-out.
        if statement.connection is None and not statement.sent:
            statement.fail(none_was_free(self._pool.timeout))

    def _place_or_hold_back(self, statement: Statement) -> bool:
        """Put a statement in line, or hold it back if its user has no share left; return False if it has to wait."""
        return self._place(statement) or self._shares.hold_back(statement)

    def _place(self, statement: Statement) -> bool:
        """Put a statement in line on one of the connections; return False if it has to wait for one."""
        query, now = statement.query, self._loop.time()
        statement.is_slow = statement.is_repeated or self._slow_until.get(query.sql, 0.0) > now
        best: SharedConnection | None = None
        has_share = self._shares.has_share(statement.owner)
        for one in self._connections if has_share else self._shares.occupied_by(statement.owner):
            if one.is_free(statement, now) and (best is None or len(one.in_flight) < len(best.in_flight)):
                best = one
        if has_share and (best is None or (statement.is_slow and best.in_flight)):
            self._grow()
        if best is not None:
            best.send(statement)
        return best is not None

    def _grow(self) -> None:
        """Open another connection if the pool has one."""
        if self._opening is None and (len(self._pool.lent) < self._pool.max_size or not self._connections):
            self._opening = self._loop.create_task(self._open())

    def _make_room(self) -> None:
        """Have as many shared connections end as transactions wait for, if the pool has no others."""
        staying = [one for one in self._connections if not one.is_retiring]
        coming = self._pool.max_size - len(self._pool.lent) + len(self._connections) - len(staying)
        staying.sort(key=lambda one: len(one.in_flight))
        for one in staying[: max(0, self._waiting_transactions - coming)]:
            one.retire()

    async def _open(self) -> None:
        try:
            connection = await self._take()
        finally:
            self._opening = None
        if connection is None:
            return
        try:
            shared = SharedConnection(connection, self, self._pool.timeout, self._pool.statement_timeout)
        except psycopg.OperationalError:
            await self._give_back(connection)
            return
        self._connections.append(shared)
        self.on_reply()
        self._make_room()

    async def _take(self) -> ExclusiveConnection | None:
        """Return a connection from the pool, or None if no statement waits for it any more."""
        while True:
            try:
                return await self._pool.take()
            except psycopg.OperationalError as error:
                if self._pool.is_away:
                    self._fail_waiting(error)
                if self._pool.closed or all(one.future.done() for one in self._waiting):
                    return None

    async def _give_back(self, connection: ExclusiveConnection) -> None:
        await self._pool.give_back(connection)
        self.on_reply()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
