"""A connection to PostgreSQL, as psycopg has it, but for what each statement would do anew."""

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
    """A connection that keeps cursors, and whose socket the event loop goes on watching between statements.

    Of 115 µs for a row, a new cursor takes 27 to find out how to convert values, there and back; to have the socket
    watched anew takes 20.
    """

    statement_timeout = math.inf
    """How many seconds a statement may take."""

    pass_on_until = 0.0
    """Until when, by the event loop's clock, one request may give it to another."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Each keeps its last row, too.
        self.cursor_of = lru_cache(8)(lambda _: self.binary_cursor())
        self._watched: int | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it is whole, and in no transaction."""
        return self.pgconn.transaction_status == TransactionStatus.IDLE

    def binary_cursor(self) -> AsyncRawCursor[Row]:
        """Return a new cursor, for parameters as `$1` and rows in PostgreSQL's binary format."""
        cursor = AsyncRawCursor(self)
        cursor.format = Format.BINARY
        return cursor

    async def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - psycopg's
        """Run what psycopg does with a statement. Raises psycopg.OperationalError when it takes longer than it may."""
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
                # Libpq has closed the socket, and the next one may have its number.
                self._unwatch()
        await self._end(gen)
        raise psycopg.OperationalError(f"the statement took longer than {seconds:g} s")

    async def close(self) -> None:
        """Close the connection."""
        self._unwatch()
        await super().close()

    async def _wait_for_socket(self, loop: asyncio.AbstractEventLoop, writable: int, interval: float) -> None:
        """Wait until the socket can be read or, where that is wanted, written; or for so many seconds.

        Raises psycopg.OperationalError where libpq has closed the socket, of which nothing would come.
        """
        descriptor = self.pgconn.socket
        if self._watched is None:
            self._watched = descriptor
            loop.add_reader(descriptor, self._wake)
        if writable:
            loop.add_writer(descriptor, self._wake)
        self._waiter = loop.create_future()
        # Then libpq looks by itself: of a socket with an error, uvloop tells only once.
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
            # The server spoke unasked, as a rule to say that it closes: whoever takes this connection next will see.
            self._unwatch()
        elif not self._waiter.done():
            self._waiter.set_result(None)

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    async def _end(self, gen: PQGen[Any]) -> None:
        """Have the server end a statement that nobody waits for any more; unless it does, the pool drops us."""
        self._unwatch()
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):
                await self.cancel_safe(timeout=_CANCEL_SECONDS)
                # Not psycopg's `wait`, which takes ten seconds more where it is cancelled itself.
                await wait_async(gen, self.pgconn.socket, timeout=_CANCEL_SECONDS)
