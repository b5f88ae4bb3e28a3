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
    """The result of a check: whether the database responded, and the revision of its last migration.

    `revision` is None if there is no migration, or if the role may not read it.
    """

    up: bool
    revision: str | None


_DOWN = Ping(up=False, revision=None)


class Database:
    """A pool of connections, and a separate connection that checks whether the database responds."""

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
        """Connect to nothing until `open` is called. Timeouts are in seconds."""
        options: dict[str, Any] = {
            "timeout": pool_timeout,
            "statement_timeout": statement_timeout,
            "prepared_statements": prepared_statements,
        }
        self._pool = Pool(url, min_size=min_size, max_size=max_size, **options)
        # Separate, because a pool without a free connection does not mean that the database is down.
        self._ping_pool = Pool(url, min_size=0, max_size=1, **options)
        self._ping: asyncio.Task[Ping] | None = None

    async def open(self) -> None:
        """Start the pools, without waiting for the database."""
        await self._pool.open()
        await self._ping_pool.open()

    async def close(self) -> None:
        """Close idle connections now, and each lent one when it is given back."""
        if self._ping is not None:
            self._ping.cancel()
        await self._ping_pool.close()
        await self._pool.close()

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection for the duration of a `with` block.

        Raises Unavailable if no connection becomes free in time, if it breaks, or if a statement takes too long.
        """
        return self._pool.lend()

    def load(self) -> tuple[int, int]:
        """Return the number of connections in use, and the number of requests that wait for one."""
        return self._pool.load()

    async def ping(self, within: float) -> Ping:
        """Check whether the database responds, and wait at most `within` seconds.

        A check that hangs keeps running, and later calls wait for it instead of starting another.
        """
        if self._ping is None or self._ping.done():
            self._ping = asyncio.create_task(self._answers())
        # A local variable, because a later call may replace `self._ping` during the wait.
        ping = self._ping
        await asyncio.wait({ping}, timeout=within)
        return ping.result() if ping.done() and not ping.cancelled() else _DOWN

    async def _answers(self) -> Ping:
        try:
            async with self._ping_pool.lend() as connection:
                return Ping(up=True, revision=await _revision(connection))
        except Unavailable:
            return _DOWN


def describe_database(url: str) -> str:
    """Describe the database of a URL for the log: its name, host, port and user, but not its password."""
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
