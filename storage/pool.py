"""A pool of connections: each is lent to one request at a time, and closed when it breaks."""

import asyncio
import select
from contextlib import AbstractAsyncContextManager, suppress
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.abc import PQGen
from psycopg.pq import Format, TransactionStatus
from psycopg_pool import AsyncConnectionPool

from storage.errors import Unavailable

Row = tuple[Any, ...]
Result = TypeVar("Result")

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
_CANCEL_SECONDS = 1.0


class Connection(AsyncConnection[Row]):
    """A connection that keeps the cursors of its last statements, and on which no statement takes too long."""

    statement_timeout: float | None = None
    """In seconds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A cursor that runs its statement again knows how to convert the values, there and back: a new one finds that
        # out in 27 µs, of 115 for a row. Each also keeps its last rows, so that there must not be many.
        self.cursor_of = lru_cache(8)(self._cursor_of)

    def _cursor_of(self, _: bytes) -> AsyncRawCursor[Row]:
        cursor = AsyncRawCursor(self)
        cursor.format = Format.BINARY
        return cursor

    async def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - psycopg's
        """Run a statement's generator. Raises psycopg.OperationalError when it takes longer than it may.

        Psycopg looks at its clock anyway; asyncio.timeout would take 5 µs more.
        """
        return await super().wait(gen, interval, timeout or self.statement_timeout)


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
        # Whoever waits for a connection waits here, not in psycopg's queue, which takes a task for each.
        self._turns = asyncio.Semaphore(max_size)
        self._waiting = 0
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
            reconnect_timeout=1.0,
            open=False,
            name="todo-api",
        )

    async def open(self) -> None:
        """Begin to connect, without waiting for the database."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection, after the statements that are under way."""
        await self._pool.close()

    def lend(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection. Raises Unavailable when there is none, when it breaks, or when it takes too long."""
        return _Loan(self)

    def load(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many requests wait for one."""
        stats = self._pool.get_stats()
        return stats["pool_size"] - stats["pool_available"], stats.get("requests_waiting", 0) + self._waiting

    async def take(self) -> Connection:
        """Return a connection, to be given back. Raises TimeoutError or psycopg.OperationalError."""
        await self._turn()
        try:
            connection = await self._pool.getconn()
            # The pool's own check pauses longer after each dead connection, and there may be as many as it has.
            while _has_something_to_read(connection):
                await connection.close()
                await self._pool.putconn(connection)
                connection = await self._pool.getconn()
        except BaseException:
            self._turns.release()
            raise
        return connection

    async def give_back(self, connection: Connection) -> None:
        """Take back a connection, whatever state it is in."""
        try:
            await self._pool.putconn(connection)
        finally:
            self._turns.release()

    async def _turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(self._pool.timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise psycopg.OperationalError(f"no connection was free for {self._pool.timeout:g} s") from None
        finally:
            self._waiting -= 1

    async def _configure(self, connection: Connection) -> None:
        await connection.execute(
            "SELECT set_config('TimeZone', 'UTC', false), "
            # A stricter default of the database's would fail writes that ours, which lock, need not fail.
            "set_config('default_transaction_isolation', 'read committed', false)"
        )
        connection.statement_timeout = self._statement_timeout


class _Loan:
    """A connection from a pool and back; a generator as context manager would take 4 µs more."""

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
                await _cancel(self._connection)
                raise Unavailable(_first_line(error)) from error
        finally:
            await self._pool.give_back(self._connection)


async def _cancel(connection: Connection) -> None:
    """Have the server end a statement that took too long: nobody waits for it any more."""
    if connection.info.transaction_status == TransactionStatus.ACTIVE:
        with suppress(psycopg.Error):
            await connection.cancel_safe(timeout=_CANCEL_SECONDS)


def _has_something_to_read(connection: Connection) -> bool:
    """Say whether the server spoke unasked to an idle connection: as a rule, to say that it has closed it."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
