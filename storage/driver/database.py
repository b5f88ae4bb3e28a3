"""Statements compiled once, and a database that tells whether it answers."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.compiler import SQLCompiler

from storage.driver.connection import Connection, Row
from storage.driver.pool import Pool
from storage.errors import Unavailable

# `$1` and not `%(name)s`, which psycopg would take apart and number again at each execution.
_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


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
        self._names = tuple(compiled.positiontup or ())
        required = {name for name, bind in compiled.binds.items() if bind.required}
        self._literals = {name: value for name, value in compiled.params.items() if name not in required}

    def values(self, **parameters: Any) -> list[Any]:
        """Return the values of `$1`, `$2` and so on."""
        given = self._literals | parameters if self._literals else parameters
        return [given[name] for name in self._names]

    async def fetch_one(self, connection: Connection, **parameters: Any) -> Row | None:
        """Return the first row, None when there is none. Raises psycopg.Error."""
        cursor = connection.cursor_of(self.sql)
        await cursor.execute(self.sql, self.values(**parameters), prepare=self._prepare)
        return await cursor.fetchone()

    async def fetch_all(self, connection: Connection, **parameters: Any) -> Sequence[Row]:
        """Return every row. Raises psycopg.Error."""
        # A new cursor: one that is kept keeps its rows, too, and a page may have some megabytes.
        cursor = connection.binary_cursor()
        await cursor.execute(self.sql, self.values(**parameters), prepare=self._prepare)
        return await cursor.fetchall()


class Database:
    """A pool of connections, and one connection apart from it that tells whether the database answers."""

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
        options: dict[str, Any] = {
            "timeout": pool_timeout,
            "statement_timeout": statement_timeout,
            "prepared_statements": prepared_statements,
        }
        self._pool = Pool(url, min_size=min_size, max_size=max_size, **options)
        # Of its own: a pool that is all in use does not mean that the database is away.
        self._ping_pool = Pool(url, min_size=0, max_size=1, **options)
        self._ping: asyncio.Task[Ping] | None = None

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
        return self._pool.lend()

    def load(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many requests wait for one."""
        return self._pool.load()

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
            async with self._ping_pool.lend() as connection:
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
