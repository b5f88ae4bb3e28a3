"""The driver without a service: a database object with small limits, for the time of one test."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Connection, Query, Row
from tests.support.sessions import until

Result = TypeVar("Result")


def with_database(
    url: str,
    test: Callable[[Database], Coroutine[Any, Any, Result]],
    *,
    connections: int = 1,
    pool_timeout: float = 5,
    statement_timeout: float = 5,
    prepared_statements: bool = True,
) -> Result:
    """Run a test with a database object, whose timeouts are in seconds, and return what the test returns."""

    async def run() -> Result:
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
            return await test(database)
        finally:
            await database.close()

    return asyncio.run(run())


async def fetch(connection: Connection, sql: str, *, prepare: bool = False, **parameters: Any) -> Sequence[Row]:
    """Run a statement, with parameters as `:name`, and return its rows."""
    return await Query(text(sql), prepare=prepare).fetch_all(connection, **parameters)


async def until_held_up(opened: Database) -> None:
    """Wait until the statements in flight are so old that no other is sent behind them."""
    connections, loop = opened.pipeline._connections, asyncio.get_running_loop()
    await until(lambda: not any(one.has_room(loop.time(), is_write=False) for one in connections))
