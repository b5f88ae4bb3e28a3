"""A connection pool: it lends each connection to one request at a time, and closes connections that break."""

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

# The database is unreachable or read-only, its tables do not exist yet or are closed to this role, or a connection
# pooler in transaction mode has mixed up prepared statements.
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
)
# How long requests may hand a connection to each other. Then it returns to psycopg's pool, which replaces connections
# that are too old.
_PASS_ON_SECONDS = 1.0
# Psycopg's pool stops trying to connect after a second, and tries again at the next request for a connection.
_ASK_AGAIN_SECONDS = 1.0
# How long `close` waits for attempts to connect to a database that does not respond.
_CLOSE_SECONDS = 1.0


class Pool:
    """A pool of autocommit connections: call `open` before use, and `close` afterwards. Times are in seconds."""

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
        # Requests wait here, and not in psycopg's queue, which creates a task for each wait. Each gets its connection
        # directly from the request before it: 15 µs instead of 37, with 16 requests at once and 10 connections.
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
            # By default, pauses between attempts double for five minutes, and a recovery during a pause goes unnoticed.
            reconnect_timeout=_ASK_AGAIN_SECONDS,
            open=False,
            name="todo-api",
        )

    async def open(self) -> None:
        """Start connecting, without waiting for the database."""
        await self._pool.open()

    async def close(self) -> None:
        """Close idle connections now, and each lent one when it is given back."""
        await self._pool.close(timeout=_CLOSE_SECONDS)

    def lend(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection for the duration of a `with` block.

        Raises Unavailable if no connection becomes free in time, if it breaks, or if a statement takes too long.
        """
        return _Loan(self)

    def load(self) -> tuple[int, int]:
        """Return the number of connections in use, and the number of requests that wait for one."""
        stats = self._pool.get_stats()
        waiting = sum(not waiter.done() for waiter in self._waiters)
        return stats["pool_size"] - stats["pool_available"], stats.get("requests_waiting", 0) + waiting

    async def take(self) -> Connection:
        """Return a connection that the caller must give back. Raises psycopg.OperationalError."""
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
        """Take back a connection in any state, even broken."""
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
        # The pool's own check pauses for longer after each dead connection, and all of them may be dead.
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
        """Wait for a connection from another request, and return it.

        Return None if it is the caller's turn to take a connection from psycopg's pool instead. Raises
        psycopg.OperationalError at the deadline.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_at(deadline, self._expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # A connection or a turn arrived before the cancellation: pass it on.
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
        return psycopg.OperationalError(f"no connection became free within {self._pool.timeout:g} s")

    def _end_turn(self) -> None:
        if waiter := self._next_waiter():
            waiter.set_result(None)
        else:
            self._turns += 1

    def _next_waiter(self) -> "asyncio.Future[Connection | None] | None":
        """Return the request that has been waiting longest, None if no request is waiting."""
        while self._waiters:
            if not (waiter := self._waiters.popleft()).done():
                return waiter
        return None

    async def _configure(self, connection: Connection) -> None:
        connection.statement_timeout = self._statement_timeout
        # Psycopg numbers prepared statements from 0 on each connection. Behind a connection pooler in transaction mode,
        # two connections would use one name for different statements.
        connection._prepared._prepared_idx = randbits(64)
        await connection.execute(
            "SELECT set_config('TimeZone', 'UTC', false), "
            # The locks of our writes suffice: a stricter default would only make them fail with serialization errors.
            "set_config('default_transaction_isolation', 'read committed', false)"
        )


class _Loan:
    """Lends a connection and takes it back in 9 µs; a generator with asyncio.timeout took 17."""

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
    """Return whether the server has sent something on an idle connection, usually that it has closed it."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
