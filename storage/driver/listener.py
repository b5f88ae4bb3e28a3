"""The connection on which a process hears the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import PQGen
from psycopg.waiting import wait_async

from storage.driver.network import noticing_losses
from storage.driver.query import Row

Result = TypeVar("Result")

CHANNEL = "todo_api"
"""The channel of NOTIFY. It belongs to a database, so that services on other databases do not hear each other."""
_LISTEN_SECONDS = 5.0
_CLOSE_SECONDS = 0.5


class _Listener(AsyncConnection[Row]):
    async def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - psycopg's
        """Do what psycopg's method does, but end at once when it is cancelled: psycopg's waits for the server."""
        return await wait_async(gen, self.pgconn.socket, interval, timeout)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[AsyncIterator[str]]:
    """Listen until the end of the `with` block, and yield an iterator of payloads, which raises psycopg.Error.

    Raises psycopg.Error and TimeoutError if the database does not respond or cannot listen, as a standby.
    """
    options = {"autocommit": True, "prepare_threshold": None, "client_encoding": "utf8", **noticing_losses(url)}
    # Psycopg gives each host its `connect_timeout`. One for all of them could end before the second host is tried.
    connection = await _Listener.connect(url, **options)
    try:
        async with asyncio.timeout(_LISTEN_SECONDS):
            await connection.execute(f"LISTEN {CHANNEL}")
        yield (notify.payload async for notify in connection.notifies())
    finally:
        # A connection pooler in transaction mode would deliver to its other clients what nobody listens to any more.
        with suppress(psycopg.Error, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await connection.execute(f"UNLISTEN {CHANNEL}")
        await connection.close()
