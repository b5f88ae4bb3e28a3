"""Cancellation of statements on a shared connection: those that take too long, and those that hold up others."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg.errors import Diagnostic, QueryCanceled

from storage.driver.giving_way import GaveWay, has_given_way
from storage.driver.pool import none_was_free
from storage.driver.statement import NoEffect, Statement, Struck

if TYPE_CHECKING:
    from storage.driver.shared_connection import SharedConnection

# How long a statement may hold up others before it is cancelled. It is then repeated on a connection of its own, if one
# is free.
_HOLD_UP_SECONDS = 0.1
_PAUSE_SECONDS = 0.01
_CANCEL_SECONDS = 1.0
# The result's types have changed because a table was altered, or the server does not have the prepared statement.
_STALE = ("0A000", "26000")


class Cancellation:
    """Watches which statement is first in line. PostgreSQL can cancel only the one that it is running."""

    def __init__(self, connection: "SharedConnection") -> None:
        self.has_begun = False
        self.task: asyncio.Task[None] | None = None
        self._connection = connection

    def check(self) -> None:
        """Begin to cancel if it is time to. To be called about every tenth of a second."""
        if self.task is None and self._overdue(_HOLD_UP_SECONDS + self._connection.exclusive.round_trip):
            self.has_begun = True
            self._connection.retire()
            self.task = asyncio.get_running_loop().create_task(self._cancel())

    def on_notice(self, notice: Diagnostic) -> None:
        """Fail a write that the server has committed without waiting for the standby, or for a node of the cluster."""
        doubt = self._connection.exclusive.doubt(notice)
        if doubt and self._connection.in_flight:
            self._connection.in_flight[0].error = psycopg.OperationalError(doubt)

    def judge(self, statement: Statement, error: Exception, now: float) -> Exception:
        """Return the error that a statement fails with, and forget a plan that cannot be used again."""
        is_stale = bool(statement.plan.name) and getattr(error, "sqlstate", None) in _STALE
        if is_stale:
            self._connection.exclusive.plans.forget(statement.query.sql, statement.plan)
        is_cancelled = isinstance(error, QueryCanceled) and self.has_begun
        if is_cancelled and self._connection.is_late(statement):
            return none_was_free(self._connection.wait)
        if is_cancelled and now - self._connection.first_since >= self._limit(statement):
            return psycopg.OperationalError(f"the statement took longer than {self._connection.limit:g} s")
        if not is_cancelled and has_given_way(self._connection.exclusive, error):
            return GaveWay(str(error)) if statement.query.is_write else NoEffect(str(error))
        if is_cancelled and statement.is_repeated:
            # That is not cancelled because it holds up others.
            return Struck(str(error))
        # It held up others, or it was hit by a cancellation meant for the statement before it.
        return NoEffect(str(error)) if is_stale or is_cancelled else error

    def _overdue(self, patience: float) -> Statement | None:
        """Return the first statement if its time is up.

        It has less time, `patience` seconds, if it holds up others and can be repeated, or if it came too late.
        """
        connection, line = self._connection, self._connection.in_flight
        if not line:
            return None
        first = line[0]
        is_hurried = (len(line) > 1 and not first.is_repeated) or connection.is_late(first)
        allowed = min(patience, self._limit(first)) if is_hurried else self._limit(first)
        return first if self._is_over(allowed) else None

    def _limit(self, first: Statement) -> float:
        """Return how many seconds a statement that is first in line may take: a repeated one has what is left."""
        return min(self._connection.limit, first.deadline - self._connection.first_since)

    def _is_over(self, allowed: float) -> bool:
        return asyncio.get_running_loop().time() - self._connection.first_since >= allowed

    async def _cancel(self) -> None:
        """Cancel the first statement, and then those behind it that hold up others as well."""
        try:
            while first := self._overdue(_PAUSE_SECONDS + self._connection.exclusive.round_trip):
                await self._end(first)
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self.task = None
            self._connection.retire()

    async def _end(self, first: Statement) -> None:
        try:
            # With libpq before version 17, psycopg ignores its own time-out.
            async with asyncio.timeout(_CANCEL_SECONDS):
                with suppress(psycopg.Error, OSError):
                    await self._connection.exclusive.cancel_safe()
                while first.connection is self._connection:  # noqa: ASYNC110 - an event would cost every statement
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            # Close the connection even if the statement has just ended. The cancellation may still arrive, and must not
            # hit a statement of the next borrower.
            error = psycopg.OperationalError("the statement did not end when it was cancelled")
            if self._is_over(self._limit(first)) and not first.query.is_write:
                first.fail(error)
            self._connection.break_off(error)
