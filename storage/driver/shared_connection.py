"""A connection in pipeline mode: many requests run statements on it, and each statement is a transaction of its own."""

import asyncio
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import psycopg
from psycopg.pq import ExecStatus, Format

from storage.driver.cancellation import Cancellation
from storage.driver.connection import ExclusiveConnection
from storage.driver.giving_way import LIMIT_LOCKS
from storage.driver.network import loses_packets
from storage.driver.plans import Plan
from storage.driver.pool import none_was_free
from storage.driver.statement import Lost, Statement

if TYPE_CHECKING:
    from storage.driver.pipeline import Pipeline

_TICK_SECONDS = 0.1
# How long the pipeline keeps a connection. It then returns it to the pool, which may replace it or lend it for a
# transaction. The pipeline takes a new one only if it needs one: fewer connections are less work.
_SHARED_SECONDS = 1.0
# How long reads wait for packets that are lost, while others wait for a connection. They are repeated on a new one.
_LOST_SECONDS = 1.0
_SYNC = int(ExecStatus.PIPELINE_SYNC)


class SharedConnection:
    """Sends statements, and gives each of them its own rows or its own error."""

    def __init__(self, connection: ExclusiveConnection, pipeline: "Pipeline", wait: float, limit: float) -> None:
        """Put a connection into pipeline mode. Raises psycopg.OperationalError.

        A statement may take `wait` seconds to become first in line, and then `limit` seconds to end.
        """
        self.exclusive = connection
        self.in_flight = deque[Statement]()
        # How many statements each user has in line.
        self.owners: dict[str | None, int] = {}
        self.is_retiring = self._has_ended = False
        # Whether the network lost the last packets when it was last asked.
        self.loses_packets = False
        self._pipeline, self.wait, self.limit = pipeline, wait, limit
        self._loop = asyncio.get_running_loop()
        self._opened = self.first_since = self._loop.time()
        self._cancellation = Cancellation(self)
        connection.add_notice_handler(self._cancellation.on_notice)
        self._pgconn, self._socket = connection.pgconn, connection.pgconn.socket
        self._pgconn.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._receive)
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)

    def is_free(self, statement: Statement, now: float) -> bool:
        """Return whether the connection takes the statement, and would send it at once."""
        return not self.is_retiring and self.has_room(now, is_write=statement.query.is_write)

    def has_room(self, now: float, *, is_write: bool) -> bool:
        """Return whether nothing is in flight or, for a read, only a few reads of which none may hold it up.

        A write is alone. It may wait for a lock, the disk or the merge of an index. And if this process is killed, the
        server may still carry out what it has received: a write behind another one could then undo what its client has
        written since by way of another process.
        """
        if not (line := self.in_flight):
            return True
        if is_write or line[0].query.is_write or len(line) >= self.exclusive.depth:
            return False
        return not (line[0].is_slow or line[-1].is_slow or now - line[0].sent > self.exclusive.patience)

    def is_late(self, statement: Statement) -> bool:
        """Return whether the statement that is first in line has waited too long for that."""
        return self.first_since - statement.created > self.wait

    def send(self, statement: Statement) -> None:
        """Send a statement at once. The connection must be free for it."""
        statement.join(self)
        try:
            self._send(statement)
        except psycopg.OperationalError as error:
            self.break_off(error)

    def retire(self) -> None:
        """Take no more statements, and end after those in line."""
        self.is_retiring = True
        if not (self.in_flight or self._cancellation.task or self._has_ended):
            self._leave()
            with suppress(psycopg.Error):
                self._pgconn.exit_pipeline_mode()
            self._pipeline.on_end(self, lost=False)

    def break_off(self, error: Exception) -> None:
        """Close the connection, and fail all statements in line.

        The outcome of a write in flight is unknown. It fails once the server does not carry it out any more, so that it
        cannot undo what the client does next.
        """
        if self._has_ended:
            return
        self._leave()
        self._pgconn.finish()
        self._pipeline.on_end(self, lost=bool(self.in_flight))
        line, self.in_flight = self.in_flight, deque()
        for statement in line:
            statement.leave()
            if statement.query.is_write:
                statement.error = statement.error or error
                self._pipeline.on_unknown(self.exclusive, statement)
            else:
                statement.error = Lost(str(error))
                self._pipeline.end(statement)

    def _leave(self) -> None:
        self._has_ended = self.is_retiring = True
        self._timer.cancel()
        self.exclusive.remove_notice_handler(self._cancellation.on_notice)
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)

    def _send(self, statement: Statement) -> None:
        statement.sent = now = self._loop.time()
        if not self.in_flight:
            self.first_since = now
        self.in_flight.append(statement)
        query, values = statement.query, statement.values
        # Every connection may have a stale plan, so a repeated statement is not prepared.
        if query.is_write and self.exclusive.backend is None:
            self._pgconn.send_query_params(LIMIT_LOCKS.sql, None)
            statement.skips = 1
        prepares = query.prepare and not statement.is_repeated
        plan = statement.plan = self.exclusive.plans.find(query.sql, self._pgconn) if prepares else Plan()
        if plan.name:
            self._pgconn.send_query_prepared(plan.name, values, result_format=Format.BINARY)
        else:
            self._pgconn.send_query_params(query.sql, values, result_format=Format.BINARY)
        self._pgconn.pipeline_sync()
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._flush)

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
                    self._finish()
                else:
                    self.in_flight[0].accept(status, result)
        except psycopg.OperationalError as error:
            self.break_off(error)
            return
        self._pipeline.on_reply()
        if self.is_retiring:
            self.retire()

    def _finish(self) -> None:
        self.in_flight[0].check_reply()
        statement, now = self.in_flight.popleft(), self._loop.time()
        took = now - self.first_since
        if statement.sent == self.first_since and took < self.exclusive.round_trip:
            self.exclusive.note_round_trip(took)
        if took > self.exclusive.patience and (self.in_flight or statement.is_slow):
            self._pipeline.on_slow(statement)
        if statement.error is not None:
            statement.error = self._cancellation.judge(statement, statement.error, now)
        self.first_since, self.loses_packets = now, False
        self._pipeline.end(statement)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_TICK_SECONDS, self._tick)
        now = self._loop.time()
        if self.in_flight:
            # Uvloop reports a socket's error only once, and libpq may have read data before it.
            self._receive()
        self.loses_packets = self._has_waited(_TICK_SECONDS, now) and loses_packets(self._socket)
        if self._is_lost(now):
            self.break_off(psycopg.OperationalError("the network loses the packets of the connection"))
            return
        for statement in islice(self.in_flight, 1, None):
            if now - statement.created > self.wait:
                statement.fail(none_was_free(self.wait))
        if now - self._opened > _SHARED_SECONDS:
            self.retire()
        self._cancellation.check()

    def _has_waited(self, seconds: float, now: float) -> bool:
        """Return whether the first statement in line has waited this long for its reply."""
        return bool(self.in_flight) and now - self.first_since >= seconds

    def _is_lost(self, now: float) -> bool:
        """Return whether reads are in flight here whose packets the network loses, and others wait for a connection."""
        if not self.loses_packets or not self._has_waited(_LOST_SECONDS, now) or self.in_flight[0].query.is_write:
            return False
        return self._pipeline.has_waiting()
