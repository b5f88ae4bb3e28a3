"""The driver without a service: a database object with small limits, for the time of one test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from sqlalchemy import text

from storage.driver.connection import ExclusiveConnection
from storage.driver.database import Database
from storage.driver.query import Connection, Query, Row
from storage.driver.transaction import Transaction
from tests.support.sessions import until

Result = TypeVar("Result")


@asynccontextmanager
async def open_database(
    url: str,
    *,
    connections: int = 1,
    pool_timeout: float = 5,
    statement_timeout: float = 5,
    prepared_statements: bool = True,
) -> AsyncIterator[Database]:
    """Open a database object, whose timeouts are in seconds, for the `async with` block."""
    database = Database(
        url,
        min_size=1,
        max_size=connections,
        pool_timeout=pool_timeout,
        statement_timeout=statement_timeout,
        prepared_statements=prepared_statements,
    )
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def with_database(url: str, test: Callable[[Database], Coroutine[Any, Any, Result]], **settings: Any) -> Result:
    """Run a test with a database object, with the settings of `open_database`, and return what the test returns."""

    async def run() -> Result:
        async with open_database(url, **settings) as database:
            return await test(database)

    return asyncio.run(run())


class Held(NamedTuple):
    """A transaction that a test holds, and its connection. It runs queries as the pipeline does."""

    transaction: Transaction
    connection: ExclusiveConnection

    async def run(self, query: Query, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """Execute the query and return all its rows. Raises psycopg.Error."""
        (rows,) = await self.transaction.run((query, parameters))
        return rows


@asynccontextmanager
async def held(opened: Database) -> AsyncIterator[Held]:
    """Hold a transaction of a user of its own, and so a connection, and roll it back at the end of the `with` block.

    Raises what `Database.in_transaction` raises.
    """
    begun: asyncio.Future[Held] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def work(transaction: Transaction) -> None:
        await transaction.run()
        begun.set_result(Held(transaction, transaction._connection))
        await over.wait()

    holding = asyncio.create_task(opened.in_transaction(str(uuid4()), work))
    try:
        waiting: set[asyncio.Future[Any]] = {holding, begun}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if begun.done():
            yield begun.result()
        over.set()
        await holding
    finally:
        holding.cancel()
        await asyncio.wait({holding})


async def fetch(connection: Connection, sql: str, *, prepare: bool = False, **parameters: Any) -> Sequence[Row]:
    """Run a statement, with parameters as `:name`, and return its rows."""
    return await Query(text(sql), prepare=prepare).fetch_all(connection, **parameters)


async def until_held_up(opened: Database) -> None:
    """Wait until the statements in flight are so old that no other is sent behind them."""
    connections, loop = opened.pipeline._connections, asyncio.get_running_loop()
    await until(lambda: not any(one.has_room(loop.time(), is_write=False) for one in connections))
