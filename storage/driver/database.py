"""The database: a pool of connections, and a check whether PostgreSQL responds."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from storage.driver.connection import Connection
from storage.driver.pool import Pool
from storage.errors import Unavailable


class Ping(NamedTuple):
    """Whether the database answered, and the revision that its tables are in: None without tables."""

    up: bool
    revision: str | None


_DOWN = Ping(up=False, revision=None)


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
