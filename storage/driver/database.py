"""The database: what runs statements and transactions, and a check whether PostgreSQL responds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable
from sqlalchemy import text

from storage.driver.announcements import Announcements
from storage.driver.connection import ExclusiveConnection, ends_connection
from storage.driver.giving_way import GaveWay, has_given_way
from storage.driver.pipeline import CONFLICTS, Pipeline
from storage.driver.pool import AWAY, Pool, first_line
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from storage.driver.turns import Turns
from storage.errors import Unavailable

Result = TypeVar("Result")

_REVISION = Query(text("SELECT version_num FROM alembic_version"))
_NO_REVISION = (UndefinedTable, UndefinedColumn, InsufficientPrivilege)


class Ping(NamedTuple):
    """The result of a check: whether the database responded, and the revision of its last migration.

    `revision` is None if there is no migration, or if the role may not read it.
    """

    up: bool
    revision: str | None


_DOWN = Ping(up=False, revision=None)


class _Repeatable(Exception):
    """A transaction had no effect, and may succeed when it is repeated."""

    def __init__(self, cause: psycopg.Error) -> None:
        super().__init__(str(cause))
        self.cause = cause


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
        # For checks when no connection is idle, which does not mean that the database is down, for having statements
        # give way, and for announcements, which wait for those of other processes.
        self._side_pipeline = Pipeline(Pool(url, min_size=0, max_size=1, **options))
        self.announcements = Announcements(url, self._side_pipeline)
        self.pipeline = Pipeline(self._pool, self.announcements.announce, self._side_pipeline)
        self._ping: asyncio.Task[Ping] | None = None
        # A transaction that has its lock is not cancelled when others wait. So a quarter of the connections is
        # left to single statements, and half to these and short transactions. All share a single connection.
        self._places = asyncio.Semaphore(max_size * 3 // 4 or 1)
        self._places_of_long = asyncio.Semaphore((max_size + 3) // 4)
        self._turns = Turns(pool_timeout)

    async def open(self) -> None:
        """Start the pools, without waiting for the database."""
        await self.pipeline.open()
        await self._side_pipeline.open()

    async def close(self) -> None:
        """Close all connections, except for exclusive ones, which are closed when their transaction ends."""
        if self._ping is not None:
            self._ping.cancel()
        await asyncio.gather(self._side_pipeline.close(), self.pipeline.close(), self.announcements.close())

    async def in_transaction(
        self, user_id: str, work: Callable[[Transaction], Awaitable[Result]], *, is_long: bool = False
    ) -> Result:
        """Run `work` in a transaction that it commits, and return what it returns.

        A user has one transaction at a time, so that a long one occupies one connection. All users together have three
        quarters of the connections for them, and one for those that may be long. `work` is run once more if the first
        transaction conflicts with another, or its connection breaks before the commit, and again if it gives way while
        it waits for the user's lock. The server ends it early if the
        pause between two groups of statements is longer than a statement may take. Raises Busy, and Unavailable if no
        connection becomes free in time, if it breaks, or if a statement takes too long. Other errors of `work` roll the
        transaction back.
        """
        turn = await self._turns.take(user_id)
        deadline = asyncio.get_running_loop().time() + self._pool.timeout
        attempt = partial(self._attempt, user_id, work, is_long=is_long)
        try:
            try:
                return await self.pipeline.giving_way.insist(attempt, deadline)
            except _Repeatable:
                return await self.pipeline.giving_way.insist(attempt, deadline)
        except _Repeatable as error:
            raise Unavailable(first_line(error.cause)) from error.cause
        finally:
            turn.release()

    async def _attempt(
        self, user_id: str, work: Callable[[Transaction], Awaitable[Result]], *, is_long: bool
    ) -> Result:
        """Run `work` once. Raises GaveWay, and _Repeatable if nothing was written, and another attempt may succeed.

        If the connection is lost during the commit, the outcome is unknown. The error comes once the server does not
        carry out the commit any more, so that it cannot undo what the client does next.
        """
        async with AsyncExitStack() as afterwards, self._lent(is_long=is_long) as connection:
            transaction = Transaction(connection, self._longest_pause)
            try:
                return await work(transaction)
            except psycopg.Error as error:
                self.pipeline.on_error(error)
                if has_given_way(connection, error):
                    raise GaveWay(first_line(error)) from error
                is_away = isinstance(error, AWAY) or ends_connection(error)
                if isinstance(error, CONFLICTS) or (is_away and connection.closed and not transaction.is_committing):
                    raise _Repeatable(error) from error
                if is_away:
                    raise Unavailable(first_line(error)) from error
                raise
            finally:
                with suppress(psycopg.Error):
                    await transaction.end()
                if transaction.is_committing:
                    afterwards.callback(self.announcements.announce, user_id)
                    if connection.closed:
                        self._pool.forsake(connection)
                        afterwards.push_async_callback(asyncio.sleep, connection.notices_within)

    @asynccontextmanager
    async def _lent(self, *, is_long: bool) -> AsyncIterator[ExclusiveConnection]:
        """Lend a connection. Raises Unavailable if there is none in time."""
        async with AsyncExitStack() as places:
            connection = await self._lend([self._places_of_long, self._places] if is_long else [self._places], places)
            try:
                yield connection
            finally:
                if connection.closed:
                    self.pipeline.suspect_others()
                await self._pool.give_back(connection)

    async def _lend(self, needed: Iterable[asyncio.Semaphore], taken: AsyncExitStack) -> ExclusiveConnection:
        try:
            with self.pipeline.giving_way.others_wait():
                async with self._pool.in_time():
                    for place in needed:
                        await taken.enter_async_context(place)
                    return await self.pipeline.lend()
        except psycopg.OperationalError as error:
            raise Unavailable(first_line(error)) from error

    def load(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many statements and transactions wait for one."""
        in_use, waiting = self.pipeline.load()
        return in_use, waiting + self._turns.waiting

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
        pipelines = [self.pipeline] if self.pipeline.has_idle() else [self._side_pipeline, self.pipeline]
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
