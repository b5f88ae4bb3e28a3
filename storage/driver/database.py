"""The database: what runs statements and transactions, and a check whether PostgreSQL responds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable
from sqlalchemy import text

from storage.driver.connection import ExclusiveConnection, ends_connection
from storage.driver.pipeline import Pipeline
from storage.driver.pool import AWAY, Pool, first_line
from storage.driver.query import Query
from storage.errors import Unavailable

_REVISION = Query(text("SELECT version_num FROM alembic_version"))
_NO_REVISION = (UndefinedTable, UndefinedColumn, InsufficientPrivilege)


class Ping(NamedTuple):
    """The result of a check: whether the database responded, and the revision of its last migration.

    `revision` is None if there is no migration, or if the role may not read it.
    """

    up: bool
    revision: str | None


_DOWN = Ping(up=False, revision=None)
# A process that is suspended in a transaction would otherwise keep its locks, and its users would wait for it.
_LIMIT_PAUSES = Query(text("SELECT set_config('idle_in_transaction_session_timeout', :longest, true)"))


class Database:
    """A pipeline for single statements, exclusive connections for transactions, and a check that waits for neither."""

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
        self._longest_pause = f"{statement_timeout * 1000:.0f}ms"
        self._pool = Pool(url, min_size=min_size, max_size=max_size, **options)
        # For when no connection is idle, which does not mean that the database is down.
        self._ping_pipeline = Pipeline(Pool(url, min_size=0, max_size=1, **options))
        self.pipeline = Pipeline(self._pool)
        self._ping: asyncio.Task[Ping] | None = None

    async def open(self) -> None:
        """Start the pools, without waiting for the database."""
        await self.pipeline.open()
        await self._ping_pipeline.open()

    async def close(self) -> None:
        """Close all connections, except for exclusive ones, which are closed when their transaction ends."""
        if self._ping is not None:
            self._ping.cancel()
        await asyncio.gather(self._ping_pipeline.close(), self.pipeline.close())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[ExclusiveConnection]:
        """Lend an exclusive connection inside a transaction, which ends with the `with` block.

        The server ends it early if the pause between two statements is longer than a statement may take.
        Raises Unavailable if no connection becomes free in time, if it breaks, or if a statement takes too long.
        """
        try:
            self.pipeline.waiting_transactions += 1
            try:
                connection = await self._pool.take()
            finally:
                self.pipeline.waiting_transactions -= 1
            try:
                async with connection.transaction():
                    await _LIMIT_PAUSES.fetch_one(connection, longest=self._longest_pause)
                    yield connection
            finally:
                await self._pool.give_back(connection)
        except psycopg.Error as error:
            if isinstance(error, AWAY) or ends_connection(error):
                raise Unavailable(first_line(error)) from error
            raise

    def load(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many statements and transactions wait for one."""
        return self.pipeline.load()

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
        # The server may have no connection to spare for the check alone, or slow statements may hold up those in use.
        pipelines = [self.pipeline] if self.pipeline.has_idle() else [self._ping_pipeline, self.pipeline]
        asking = [asyncio.create_task(_ask(one)) for one in pipelines]
        try:
            for answer in asyncio.as_completed(asking):
                if (ping := await answer).up:
                    return ping
            return _DOWN
        finally:
            for task in asking:
                task.cancel()


async def _ask(pipeline: Pipeline) -> Ping:
    try:
        row = await _REVISION.fetch_one(pipeline)
    except (Unavailable, psycopg.Error) as error:
        return Ping(up=isinstance(error.__cause__ or error, _NO_REVISION), revision=None)
    return Ping(up=True, revision=None if row is None else str(row[0]))


def describe_database(url: str) -> str:
    """Describe the database of a URL for the log: its name, host, port and user, but not its password."""
    given = conninfo_to_dict(url)
    port = f":{given['port']}" if given.get("port") else ""
    user = f" as {given['user']}" if given.get("user") else ""
    return f"database {given.get('dbname', '')} on {given.get('host', 'this machine')}{port}{user}"
