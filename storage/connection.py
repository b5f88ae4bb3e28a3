"""A connection to PostgreSQL, as psycopg has it, but for what each statement would do anew."""

import asyncio
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus, Format, TransactionStatus
from psycopg.waiting import Ready, Wait

Row = tuple[Any, ...]
Result = TypeVar("Result")

_CANCEL_SECONDS = 1.0
_WRITABLE = int(Wait.W)


class Connection(AsyncConnection[Row]):
    """A connection that keeps the cursors of its last statements, and whose socket the event loop goes on watching.

    Of 115 µs for a row, a new cursor takes 27 to find out how to convert values, there and back; to have the socket
    watched, and no more, takes 22.
    """

    statement_timeout: float | None = None
    """How many seconds a statement may take."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Each keeps its last rows, too, so that there must not be many.
        self.cursor_of = lru_cache(8)(self._cursor_of)
        self._watched: int | None = None
        self._waiter: asyncio.Future[None] | None = None

    def _cursor_of(self, _: bytes) -> AsyncRawCursor[Row]:
        cursor = AsyncRawCursor(self)
        cursor.format = Format.BINARY
        return cursor

    async def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:  # noqa: ARG002, ASYNC109 - psycopg's
        """Run what psycopg does with a statement. Raises psycopg.OperationalError when it takes longer than it may."""
        seconds = timeout or self.statement_timeout
        try:
            wanted = next(gen)
            while True:
                await self._wait_for_socket(wanted & _WRITABLE, seconds)
                wanted = gen.send(Ready.RW if wanted & _WRITABLE else Ready.R)
        except StopIteration as end:
            result: Result = end.value
            return result
        except TimeoutError:
            await self._end(gen)
            raise psycopg.OperationalError(f"the statement took longer than {seconds:g} s") from None
        except asyncio.CancelledError:
            await self._end(gen)
            raise
        finally:
            if self.pgconn.status != ConnStatus.OK:
                # Libpq has closed the socket, and the next one may have its number.
                self._unwatch()

    async def close(self) -> None:
        """Close the connection."""
        self._unwatch()
        await super().close()

    async def _wait_for_socket(self, writable: int, seconds: float | None) -> None:
        """Wait until the socket can be read or, where that is wanted, written. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        if self._watched is None:
            self._watched = self.pgconn.socket
            loop.add_reader(self._watched, self._wake)
        if writable:
            loop.add_writer(self._watched, self._wake)
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, _expire, self._waiter) if seconds else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
            if writable and self._watched is not None:
                loop.remove_writer(self._watched)

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
                await super().wait(gen, timeout=_CANCEL_SECONDS)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
