"""The pool of connections, statements compiled once, and readiness."""

import asyncio
import select
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.compiler import SQLCompiler

from storage.errors import Unavailable

Row = tuple[Any, ...]
Connection = AsyncConnection[Row]

# Beside what is away: what has no tables yet, or not for us, and a pooler that mixes up prepared statements.
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
    TimeoutError,
)
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Ping(NamedTuple):
    """Whether the database answered, and the revision that its tables are in: None without tables."""

    up: bool
    revision: str | None


_DOWN = Ping(up=False, revision=None)


class Query:
    """A statement of SQLAlchemy Core, compiled once to the SQL that psycopg runs."""

    def __init__(self, statement: ClauseElement, *, prepare: bool | None = None) -> None:
        """`prepare=False` has it planned anew for the values of each execution; else it is prepared when used often."""
        self._prepare = prepare
        compiled = cast(SQLCompiler, statement.compile(dialect=_DIALECT))
        self.sql = str(compiled).encode()
        required = {name for name, bind in compiled.binds.items() if bind.required}
        self._literals = {name: value for name, value in compiled.params.items() if name not in required}

    async def fetch_one(self, connection: Connection, **parameters: Any) -> Row | None:
        """Return the first row, None when there is none."""
        cursor = await connection.execute(self.sql, self._literals | parameters, binary=True, prepare=self._prepare)
        return await cursor.fetchone()

    async def fetch_all(self, connection: Connection, **parameters: Any) -> Sequence[Row]:
        """Return every row."""
        cursor = await connection.execute(self.sql, self._literals | parameters, binary=True, prepare=self._prepare)
        return await cursor.fetchall()


class Database:
    """A pool of autocommit connections, and one connection apart from it that tells whether the database answers."""

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
        self._prepare_threshold = 5 if prepared_statements else None
        self._ping: asyncio.Task[Ping] | None = None
        self._pool = self._new_pool(url, min_size=min_size, max_size=max_size, timeout=pool_timeout)
        # Of its own: a pool that is all in use does not mean that the database is away.
        self._ping_pool = self._new_pool(url, min_size=0, max_size=1, timeout=pool_timeout)

    def _new_pool(self, url: str, *, min_size: int, max_size: int, timeout: float) -> AsyncConnectionPool:
        return AsyncConnectionPool(
            url,
            kwargs={
                "autocommit": True,
                "prepare_threshold": self._prepare_threshold,
                "connect_timeout": 5,
                "client_encoding": "utf8",
            },
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            configure=_configure,
            # By default it would double its pauses for five minutes, and be as late when the database is back.
            reconnect_timeout=1.0,
            open=False,
            name="todo-api",
        )

    async def open(self) -> None:
        """Start the pools, without waiting for the database."""
        await self._pool.open()
        await self._ping_pool.open()

    async def close(self) -> None:
        """Close every connection, after the statements that are under way."""
        if self._ping is not None:
            self._ping.cancel()
        await self._ping_pool.close()
        await self._pool.close()

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection. Raises Unavailable when there is none, when it breaks, or when it takes too long."""
        return self._lend(self._pool)

    @asynccontextmanager
    async def _lend(self, pool: AsyncConnectionPool) -> AsyncIterator[Connection]:
        try:
            connection = await _checkout(pool)
            try:
                async with asyncio.timeout(self._statement_timeout):
                    yield connection
            finally:
                await pool.putconn(connection)
        except _AWAY as error:
            raise Unavailable(_first_line(error)) from error

    def load(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many requests wait for one."""
        stats = self._pool.get_stats()
        return stats["pool_size"] - stats["pool_available"], stats.get("requests_waiting", 0)

    async def ping(self, within: float) -> Ping:
        """Ask the database whether it answers, for so many seconds at the most.

        A ping that hangs is left to end by itself and is not joined by another.
        """
        if self._ping is None or self._ping.done():
            self._ping = asyncio.create_task(self._answers())
        # Ours, whichever ping comes after it while we wait.
        ping = self._ping
        await asyncio.wait({ping}, timeout=within)
        return ping.result() if ping.done() and not ping.cancelled() else _DOWN

    async def _answers(self) -> Ping:
        try:
            async with self._lend(self._ping_pool) as connection:
                return Ping(up=True, revision=await _revision(connection))
        except Unavailable:
            return _DOWN


def describe(url: str) -> str:
    """Return which database a URL leads to, in words, without its password."""
    given = conninfo_to_dict(url)
    port = f":{given['port']}" if given.get("port") else ""
    user = f" as {given['user']}" if given.get("user") else ""
    return f"database {given.get('dbname', '')} on {given.get('host', 'this machine')}{port}{user}"


async def _revision(connection: Connection) -> str | None:
    try:
        row = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InsufficientPrivilege):
        return None
    return None if row is None else str(row[0])


async def _configure(connection: AsyncConnection[Any]) -> None:
    await connection.execute(
        "SELECT set_config('TimeZone', 'UTC', false), "
        # A stricter default of the database's would fail writes that ours, which lock, need not fail.
        "set_config('default_transaction_isolation', 'read committed', false)"
    )


async def _checkout(pool: AsyncConnectionPool) -> Connection:
    connection = await pool.getconn()
    # The pool's own check pauses longer after each dead connection, and there may be as many as it has.
    while _has_something_to_read(connection):
        await connection.close()
        await pool.putconn(connection)
        connection = await pool.getconn()
    return connection


def _has_something_to_read(connection: Connection) -> bool:
    """Say whether the server spoke unasked to an idle connection: as a rule, to say that it has closed it."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
