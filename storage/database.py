"""The pool of connections, statements compiled once, and readiness."""

import asyncio
import select
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.compiler import SQLCompiler

from storage.errors import Unavailable

Row = tuple[Any, ...]
Connection = AsyncConnection[Row]

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Query:
    """A statement of SQLAlchemy Core, compiled once to the SQL that psycopg runs."""

    def __init__(self, statement: ClauseElement) -> None:
        compiled = cast(SQLCompiler, statement.compile(dialect=_DIALECT))
        self.sql = str(compiled).encode()
        required = {name for name, bind in compiled.binds.items() if bind.required}
        self._literals = {name: value for name, value in compiled.params.items() if name not in required}

    async def fetch_one(self, connection: Connection, **parameters: Any) -> Row | None:
        """Return the first row, None when there is none."""
        cursor = await connection.execute(self.sql, self._literals | parameters, binary=True)
        return await cursor.fetchone()

    async def fetch_all(self, connection: Connection, **parameters: Any) -> Sequence[Row]:
        """Return every row."""
        cursor = await connection.execute(self.sql, self._literals | parameters, binary=True)
        return await cursor.fetchall()


class Database:
    """A pool of autocommit connections whose sessions speak UTC."""

    def __init__(
        self,
        url: str,
        *,
        min_size: int,
        max_size: int,
        pool_timeout: float,
        statement_timeout: float,
        prepared_statements: bool,
    ) -> None:
        """Nothing is connected before `open`. Timeouts are in seconds."""
        self._statement_timeout = statement_timeout
        self._ping: asyncio.Task[None] | None = None
        self._pool = AsyncConnectionPool(
            url,
            kwargs={"autocommit": True, "prepare_threshold": 5 if prepared_statements else None, "connect_timeout": 5},
            min_size=min_size,
            max_size=max_size,
            timeout=pool_timeout,
            configure=_speak_utc,
            check=_refuse_closed,
            open=False,
            name="todo-api",
        )

    async def open(self) -> None:
        """Start the pool, without waiting for the database."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection, after the statements that are under way."""
        if self._ping is not None:
            self._ping.cancel()
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. Raises Unavailable when there is none, when it breaks, or when it takes too long."""
        try:
            async with self._pool.connection() as connection, asyncio.timeout(self._statement_timeout):
                yield connection
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg.errors.ReadOnlySqlTransaction,
            TimeoutError,
        ) as error:
            raise Unavailable from error

    async def is_up(self, within: float) -> bool:
        """Say whether the database answers within so many seconds.

        A ping that hangs is left to end by itself and is not joined by another, so that checks cannot use up the pool.
        """
        if self._ping is None or self._ping.done():
            self._ping = asyncio.create_task(self._select_one())
        done, _ = await asyncio.wait({self._ping}, timeout=within)
        return bool(done) and not self._ping.cancelled() and self._ping.exception() is None

    async def _select_one(self) -> None:
        async with self.connection() as connection:
            await connection.execute("SELECT 1")


async def _speak_utc(connection: AsyncConnection[Any]) -> None:
    await connection.execute("SET TIME ZONE 'UTC'")


async def _refuse_closed(connection: AsyncConnection[Any]) -> None:
    """Ask the server only when an idle connection has something to read: as a rule, that the server has closed it."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)
