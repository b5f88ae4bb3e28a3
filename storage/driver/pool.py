"""A pool of connections: each is lent to one request at a time, and closed when it breaks."""

import asyncio
import select
from collections import deque
from contextlib import AbstractAsyncContextManager, suppress
from secrets import randbits
from types import TracebackType

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from storage.driver.connection import Connection
from storage.errors import Unavailable

# Beside what is away: what has no tables yet, or not for us, and a pooler that mixes up prepared statements.
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
)
# For so long a connection goes from request to request; then psycopg's pool sees it, and replaces it when it is old.
_PASS_ON_SECONDS = 1.0
# Psycopg's pool gives up to connect after a second, and tries again when it is asked again.
_ASK_AGAIN_SECONDS = 1.0
# For attempts to connect to a database that says nothing.
_CLOSE_SECONDS = 1.0


class Pool:
    """A pool of autocommit connections, open between `open` and `close`. Times are in seconds."""

    def __init__(
        self,
        url: str,
        *,
        min_size: int,
        max_size: int,
        timeout: float,
        statement_timeout: float,
        prepared_statements: bool,
    ) -> None:
        self._statement_timeout = statement_timeout
        # Whoever waits for a connection waits here, not in psycopg's queue, which makes a task of each wait; and gets
        # it from who had it. With 16 requests at once and 10 connections, that takes 15 µs of each, not 37.
        self._turns = max_size
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._pool = AsyncConnectionPool(
            url,
            connection_class=Connection,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 5 if prepared_statements else None,
                "connect_timeout": 5,
                "client_encoding": "utf8",
            },
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            configure=self._configure,
            # By default it would double its pauses for five minutes, and be as late when the database is back.
            reconnect_timeout=_ASK_AGAIN_SECONDS,
            open=False,
            name="todo-api",
        )

    async def open(self) -> None:
        """Begin to connect, without waiting for the database."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection, after the statements that are under way."""
        await self._pool.close(timeout=_CLOSE_SECONDS)

    def lend(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection. Raises Unavailable when there is none, when it breaks, or when it takes too long."""
        return _Loan(self)

    def load(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many requests wait for one."""
        stats = self._pool.get_stats()
        waiting = sum(not waiter.done() for waiter in self._waiters)
        return stats["pool_size"] - stats["pool_available"], stats.get("requests_waiting", 0) + waiting

    async def take(self) -> Connection:
        """Return a connection, to be given back. Raises psycopg.OperationalError."""
        deadline = asyncio.get_running_loop().time() + self._pool.timeout
        if self._turns:
            self._turns -= 1
        elif (connection := await self._wait(deadline)) is not None:
            return connection
        try:
            return await self._take_from_pool(deadline)
        except BaseException:
            self._end_turn()
            raise

    async def give_back(self, connection: Connection) -> None:
        """Take back a connection, whatever state it is in."""
        may_pass_on = connection.is_idle and asyncio.get_running_loop().time() < connection.pass_on_until
        if may_pass_on and (waiter := self._next_waiter()):
            waiter.set_result(connection)
            return
        try:
            await self._pool.putconn(connection)
        finally:
            self._end_turn()

    async def _take_from_pool(self, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        # The pool's own check pauses longer after each dead connection, and there may be as many as it has.
        while _has_something_to_read(connection := await self._getconn(deadline)):
            await connection.close()
            await self._pool.putconn(connection)
        connection.pass_on_until = loop.time() + _PASS_ON_SECONDS
        return connection

    async def _getconn(self, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        while (seconds := deadline - loop.time()) > 0:
            with suppress(PoolTimeout):
                return await self._pool.getconn(min(seconds, _ASK_AGAIN_SECONDS))
        raise self._none_was_free()

    async def _wait(self, deadline: float) -> Connection | None:
        """Wait for another request's connection, or for its turn to take one from the pool: None."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_at(deadline, self._expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # What came meanwhile is the next one's.
                if connection := waiter.result():
                    await self.give_back(connection)
                else:
                    self._end_turn()
            raise
        finally:
            timer.cancel()

    def _expire(self, waiter: "asyncio.Future[Connection | None]") -> None:
        if not waiter.done():
            self._waiters.remove(waiter)
            waiter.set_exception(self._none_was_free())

    def _none_was_free(self) -> psycopg.OperationalError:
        return psycopg.OperationalError(f"no connection was free for {self._pool.timeout:g} s")

    def _end_turn(self) -> None:
        if waiter := self._next_waiter():
            waiter.set_result(None)
        else:
            self._turns += 1

    def _next_waiter(self) -> "asyncio.Future[Connection | None] | None":
        """Return who has waited longest, and waits still."""
        while self._waiters:
            if not (waiter := self._waiters.popleft()).done():
                return waiter
        return None

    async def _configure(self, connection: Connection) -> None:
        connection.statement_timeout = self._statement_timeout
        # Psycopg counts from 0 on each connection. Behind a pooler of transactions, one's statement would be another's.
        connection._prepared._prepared_idx = randbits(64)
        await connection.execute(
            "SELECT set_config('TimeZone', 'UTC', false), "
            # A stricter default of the database's would fail writes that ours, which lock, need not fail.
            "set_config('default_transaction_isolation', 'read committed', false)"
        )


class _Loan:
    """A connection from a pool and back: in 9 µs, where a generator with asyncio.timeout took 17."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        try:
            self._connection = await self._pool.take()
        except _AWAY as error:
            raise Unavailable(_first_line(error)) from error
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, _AWAY):
                raise Unavailable(_first_line(error)) from error
        finally:
            await self._pool.give_back(self._connection)


def _has_something_to_read(connection: Connection) -> bool:
    """Say whether the server spoke unasked to an idle connection: as a rule, to say that it has closed it."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
