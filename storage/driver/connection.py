"""A psycopg connection with less overhead for each statement."""

import asyncio
import math
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus, Format, TransactionStatus
from psycopg.waiting import Ready, Wait, wait_async

Row = tuple[Any, ...]
Result = TypeVar("Result")

_CANCEL_SECONDS = 1.0
_WRITABLE = int(Wait.W)


class Connection(AsyncConnection[Row]):
    """A connection that reuses cursors, and keeps its socket registered with the event loop between statements.

    Of the 115 µs that psycopg takes to fetch one row, a new cursor spends 27 on choosing how to convert parameters and
    results, and registering the socket again takes 20.
    """

    statement_timeout = math.inf
    """The longest time that a statement may take, in seconds."""

    pass_on_until = 0.0
    """The time, by the event loop's clock, until which a request may hand this connection directly to another."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # No more than eight, because each cursor also keeps the last row that it fetched.
        self.cursor_of = lru_cache(8)(lambda _: self.binary_cursor())
        self._watched: int | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the connection is intact and not in a transaction."""
        return self.pgconn.transaction_status == TransactionStatus.IDLE

    def binary_cursor(self) -> AsyncRawCursor[Row]:
        """Return a new cursor that takes parameters as `$1` and fetches rows in PostgreSQL's binary format."""
        cursor = AsyncRawCursor(self)
        cursor.format = Format.BINARY
        return cursor

    async def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - psycopg's
        """Run psycopg's generator `gen`, which executes a statement, and return its result.

        Raises psycopg.OperationalError after `timeout` seconds, or after `statement_timeout` if no timeout is given.
        """
        loop, seconds = asyncio.get_running_loop(), timeout or self.statement_timeout
        end = loop.time() + seconds
        try:
            wanted = next(gen)
            while loop.time() < end:
                await self._wait_for_socket(loop, wanted & _WRITABLE, interval)
                wanted = gen.send(Ready.RW if wanted & _WRITABLE else Ready.R)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        except asyncio.CancelledError:
            await self._end(gen)
            raise
        finally:
            if self.pgconn.status != ConnStatus.OK:
                # Libpq has closed the socket, and its descriptor may be reused for another one.
                self._unwatch()
        await self._end(gen)
        raise psycopg.OperationalError(f"the statement took longer than {seconds:g} s")

    async def close(self) -> None:
        """Close the connection."""
        self._unwatch()
        await super().close()

    async def _wait_for_socket(self, loop: asyncio.AbstractEventLoop, writable: int, interval: float) -> None:
        """Wait until the socket is readable or, if `writable` is set, writable, but no longer than `interval` seconds.

        Raises psycopg.OperationalError if libpq has closed the socket, which would never become ready.
        """
        descriptor = self.pgconn.socket
        if self._watched is None:
            self._watched = descriptor
            loop.add_reader(descriptor, self._wake)
        if writable:
            loop.add_writer(descriptor, self._wake)
        self._waiter = loop.create_future()
        # After the interval libpq checks the socket itself, because uvloop reports a socket's error only once.
        timer = loop.call_later(interval, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            timer.cancel()
            if writable:
                loop.remove_writer(descriptor)

    def _wake(self) -> None:
        if self._waiter is None:
            # No statement is running: most likely the server is closing the connection, which the pool will notice.
            self._unwatch()
        elif not self._waiter.done():
            self._waiter.set_result(None)

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    async def _end(self, gen: PQGen[Any]) -> None:
        """Cancel a running statement on the server. If that fails, the pool discards the connection."""
        self._unwatch()
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):
                await self.cancel_safe(timeout=_CANCEL_SECONDS)
                # Not psycopg's own `wait`, which can take ten more seconds if it is cancelled in turn.
                await wait_async(gen, self.pgconn.socket, timeout=_CANCEL_SECONDS)
