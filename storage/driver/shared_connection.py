"""A connection in pipeline mode: many requests run statements on it, and each statement is a transaction of its own."""

import asyncio
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg.errors import QueryCanceled
from psycopg.pq import ExecStatus, Format

from storage.driver.connection import ExclusiveConnection
from storage.driver.plans import Plan
from storage.driver.pool import none_was_free
from storage.driver.statement import Statement

if TYPE_CHECKING:
    from storage.driver.pipeline import Pipeline

# The most statements in flight on one connection.
_DEPTH = 16
# A connection whose oldest statement is older is held up.
_HELD_UP_SECONDS = 0.005
_TICK_SECONDS = _SLOW_SECONDS = 0.1
_CANCEL_SECONDS = 1.0
_PAUSE_SECONDS = 0.01
# Then the connection goes back to the pool, which may replace it, or lend it for a transaction. The pipeline takes as
# many again as it needs: the fewer there are, the less work it is to serve them.
_SHARED_SECONDS = 1.0
# The plan has other types since a table was altered, or the server has dropped the prepared statement.
_STALE = ("0A000", "26000")
_SYNC = int(ExecStatus.PIPELINE_SYNC)


class NoEffect(psycopg.OperationalError):
    """The statement had no effect, and may succeed when it is repeated."""


class Limits(NamedTuple):
    """How long a statement may take to become first in line, and then to end, in seconds."""

    wait: float
    run: float


class SharedConnection:
    """Sends statements, and gives each of them its own rows or its own error."""

    def __init__(self, connection: ExclusiveConnection, pipeline: "Pipeline", limits: Limits) -> None:
        """Take over a connection, until it is passed to `pipeline.on_end`."""
        self.exclusive = connection
        self.in_flight: deque[Statement] = deque()
        self.backlog: deque[Statement] = deque()
        self.is_retiring = self._has_ended = self._cancels = False
        self._pipeline, self._limits = pipeline, limits
        self._loop = asyncio.get_running_loop()
        self._opened = self._progressed = self._loop.time()
        self._cancelling: asyncio.Task[None] | None = None
        self._pgconn = connection.pgconn
        self._socket = self._pgconn.socket
        self._pgconn.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._receive)
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def is_free(self, now: float) -> bool:
        """Return whether another statement may be sent, with nothing slow in front of it."""
        return not (self.is_retiring or self.backlog) and self._has_room(now)

    def append(self, statement: Statement) -> None:
        """Send a statement as soon as there is room: at once, if the connection is free."""
        statement.connection = self
        self.backlog.append(statement)
        self._send_backlog()

    def retire(self) -> None:
        """Take no more statements, and end after those in line."""
        self.is_retiring = True
        if not (self.in_flight or self.backlog or self._cancelling or self._has_ended):
            self._leave()
            with suppress(psycopg.Error):
                self._pgconn.exit_pipeline_mode()
            self._pipeline.on_end(self, lost=False)

    def break_off(self, error: Exception) -> None:
        """Close the connection, and fail all statements in line. The outcome of writes in flight is unknown."""
        if self._has_ended:
            return
        self._leave()
        self._pgconn.finish()
        self._pipeline.on_end(self, lost=bool(self.in_flight))
        line = [*self.in_flight, *self.backlog]
        self.in_flight.clear()
        self.backlog.clear()
        for statement in line:
            if not (statement.sent and statement.query.is_write):
                statement.error = NoEffect(str(error))
            elif statement.error is None:
                statement.error = error
            statement.end()

    def _leave(self) -> None:
        self._has_ended = self.is_retiring = True
        self._timer.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)

    def _has_room(self, now: float) -> bool:
        line = self.in_flight
        if len(line) >= _DEPTH:
            return False
        return not line or not (line[0].is_slow or line[-1].is_slow or now - line[0].sent > _HELD_UP_SECONDS)

    def _send_backlog(self) -> None:
        try:
            while self.backlog and self._has_room(self._loop.time()):
                statement = self.backlog.popleft()
                if statement.future.done():
                    statement.connection = None
                else:
                    self._send(statement)
        except psycopg.OperationalError as error:
            self.break_off(error)

    def _send(self, statement: Statement) -> None:
        statement.sent = now = self._loop.time()
        if not self.in_flight:
            self._progressed = now
        self.in_flight.append(statement)
        query, values = statement.query, statement.values
        plan, statement.is_being_prepared = self._plan(statement)
        statement.plan = plan
        if plan.name:
            self._pgconn.send_query_prepared(plan.name, values, result_format=Format.BINARY)
        else:
            self._pgconn.send_query_params(query.sql, values, result_format=Format.BINARY)
        self._pgconn.pipeline_sync()
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._flush)

    def _plan(self, statement: Statement) -> tuple[Plan, bool]:
        # The plan of a repeated statement may be stale on every connection.
        if statement.is_repeated:
            return Plan(), False
        return self.exclusive.plans.prepare(statement.query, self._pgconn)

    def _flush(self) -> None:
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.OperationalError as error:
            self.break_off(error)

    def _receive(self) -> None:
        try:
            self._pgconn.consume_input()
            # Libpq separates the replies to two commands by None.
            nones = 0
            while not self._pgconn.is_busy() and self.in_flight and nones < 2:
                if (result := self._pgconn.get_result()) is None:
                    nones += 1
                    continue
                nones, status = 0, result.status
                if status == _SYNC:
                    self._finish(self.in_flight.popleft())
                else:
                    self.in_flight[0].accept(status, result)
        except psycopg.OperationalError as error:
            self.break_off(error)
            return
        self._send_backlog()
        self._pipeline.on_reply()
        if self.is_retiring:
            self.retire()

    def _finish(self, statement: Statement) -> None:
        now = self._loop.time()
        took, self._progressed = now - self._progressed, now
        if took > _HELD_UP_SECONDS:
            self._pipeline.on_slow(statement)
        if statement.error is not None:
            statement.error = self._judged(statement, statement.error, took)
        statement.end()

    def _judged(self, statement: Statement, error: Exception, took: float) -> Exception:
        """Return the error that a statement fails with, and forget a plan that cannot be used again."""
        is_stale = bool(statement.plan.name) and getattr(error, "sqlstate", None) in _STALE
        if is_stale or statement.is_being_prepared:
            self.exclusive.plans.forget(statement.query, statement.plan)
        is_cancelled = isinstance(error, QueryCanceled) and self._cancels
        if is_cancelled and took >= self._limits.run:
            return self._timeout()
        # It has held up others, or the statement in front of it was to be cancelled and had just ended.
        return NoEffect(str(error)) if is_stale or is_cancelled else error

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)
        now = self._loop.time()
        if self.in_flight:
            # Uvloop reports a socket's error only once, and libpq may have read data before it.
            self._receive()
        for statement in [*islice(self.in_flight, 1, None), *self.backlog]:
            if now - statement.created > self._limits.wait:
                statement.fail(none_was_free(self._limits.wait))
        if now - self._opened > _SHARED_SECONDS:
            self.retire()
        if self._overdue(_SLOW_SECONDS) and self._cancelling is None:
            self._cancelling = self._loop.create_task(self._cancel())

    def _overdue(self, patience: float) -> Statement | None:
        """Return the first statement if its time is up, or if it has held up others that long and can be repeated."""
        if not self.in_flight:
            return None
        first = self.in_flight[0]
        holds_up = not first.is_repeated and any(one.owner != first.owner for one in self.in_flight)
        most = min(patience, self._limits.run) if holds_up else self._limits.run
        return first if self._loop.time() - self._progressed >= most else None

    async def _cancel(self) -> None:
        """Cancel the first statement, and then those behind it that hold up others as well."""
        self.is_retiring = self._cancels = True
        while first := self._overdue(_PAUSE_SECONDS):
            deadline = self._loop.time() + _CANCEL_SECONDS
            # With libpq before version 17, psycopg ignores its own time-out.
            with suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(_CANCEL_SECONDS):
                    await self.exclusive.cancel_safe()
            while first.connection is self:
                if self._loop.time() > deadline:
                    error = psycopg.OperationalError("the statement did not end when it was cancelled")
                    first.fail(error)
                    self.break_off(error)
                await asyncio.sleep(_PAUSE_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS)
        self._cancelling = None
        self.retire()

    def _timeout(self) -> psycopg.OperationalError:
        return psycopg.OperationalError(f"the statement took longer than {self._limits.run:g} s")
