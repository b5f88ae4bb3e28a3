"""Cancellation on a shared connection: of statements whose time is up, or that hold up others."""

import asyncio
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import psycopg

from storage.driver.statement import Statement

if TYPE_CHECKING:
    from storage.driver.shared_connection import SharedConnection

# A statement that holds up others is cancelled this soon; it is then repeated on its own.
_HOLD_UP_SECONDS = 0.1
_PAUSE_SECONDS = 0.01
_CANCEL_SECONDS = 1.0


class Cancellation:
    """Watches which statement is first in line. PostgreSQL can cancel only the one that it is running."""

    def __init__(self, connection: "SharedConnection", limit: float) -> None:
        """A statement may be first in line for `limit` seconds."""
        self.has_begun = False
        self.task: asyncio.Task[None] | None = None
        self._connection = connection
        self._limit = limit

    def check(self) -> None:
        """Begin to cancel if it is time to. To be called about every tenth of a second."""
        if self.task is None and self._overdue(_HOLD_UP_SECONDS + self._connection.exclusive.round_trip):
            self.has_begun = True
            self._connection.retire()
            self.task = asyncio.get_running_loop().create_task(self._cancel())

    def _overdue(self, patience: float) -> Statement | None:
        """Return the first statement if its time is up, or if it has held up others that long and can be repeated."""
        line = self._connection.in_flight
        if not line:
            return None
        # A user's own writes have to wait for it in any case.
        others = (one for one in islice(line, 1, None) if one.owner != line[0].owner or not one.query.is_write)
        holds_up = not line[0].is_repeated and any(others)
        most = min(patience, self._limit) if holds_up else self._limit
        is_overdue = asyncio.get_running_loop().time() - self._connection.first_since >= most
        return line[0] if is_overdue else None

    async def _cancel(self) -> None:
        """Cancel the first statement, and then those behind it that hold up others as well."""
        while first := self._overdue(_PAUSE_SECONDS + self._connection.exclusive.round_trip):
            # With libpq before version 17, psycopg ignores its own time-out.
            with suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(_CANCEL_SECONDS):
                    await self._connection.exclusive.cancel_safe()
                    await _ended(first, self._connection)
            if first.connection is self._connection:
                error = psycopg.OperationalError("the statement did not end when it was cancelled")
                first.fail(error)
                self._connection.break_off(error)
            await asyncio.sleep(_PAUSE_SECONDS)
        self.task = None
        self._connection.retire()


async def _ended(statement: Statement, connection: "SharedConnection") -> None:
    while statement.connection is connection:  # noqa: ASYNC110 - an event for each statement would cost every request
        await asyncio.sleep(_PAUSE_SECONDS)
