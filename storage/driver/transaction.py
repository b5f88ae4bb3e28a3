"""Transactions of a user: groups of statements, each sent in one round trip."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus
from sqlalchemy import text

from storage.driver.connection import ExclusiveConnection
from storage.driver.exchange import exchange
from storage.driver.giving_way import LIMIT_LOCKS
from storage.driver.query import Query, Row

Call = tuple[Query, Mapping[str, Any]]
"""A query, and its parameters."""

# A stricter level would read the rows as they were before the wait for the account's lock.
_BEGIN = Query(text("BEGIN ISOLATION LEVEL READ COMMITTED"))
# A process that is suspended in a transaction would otherwise keep its locks, and its users would wait for it.
_LIMIT_PAUSES = Query(text("SELECT set_config('idle_in_transaction_session_timeout', :longest, true)"))
_COMMIT = Query(text("COMMIT"))
_ROLLBACK = Query(text("ROLLBACK"))


class Transaction:
    """A transaction, which begins with the first group of statements that is sent. Nothing of it is repeated."""

    def __init__(self, connection: ExclusiveConnection, longest_pause: str) -> None:
        """`longest_pause` is the time between two groups after which the server ends the transaction."""
        self._connection = connection
        self._begin: list[Call] = [(_BEGIN, {}), (_LIMIT_PAUSES, {"longest": longest_pause})]
        if connection.backend is None:
            self._begin.append((LIMIT_LOCKS, {}))
        self.is_committing = False

    async def run(self, *calls: Call) -> list[Sequence[Row]]:
        """Execute statements in one round trip, and return the rows of each. Raises psycopg.Error."""
        begin, self._begin = self._begin, []
        return (await self._send([*begin, *calls]))[len(begin) :]

    async def commit(self, *calls: Call) -> list[Sequence[Row]]:
        """Execute statements and commit, in one round trip. Without a commit, nothing of the transaction remains.

        Raises psycopg.Error, also if the server has committed without waiting for the standby or a node of the cluster.
        """
        self.is_committing = True
        doubts: list[str | None] = []

        def on_notice(notice: Diagnostic) -> None:
            doubts.append(self._connection.doubt(notice))

        self._connection.add_notice_handler(on_notice)
        try:
            rows = await self.run(*calls, (_COMMIT, {}))
        finally:
            self._connection.remove_notice_handler(on_notice)
        for doubt in filter(None, doubts):
            raise psycopg.OperationalError(doubt)
        return rows[:-1]

    async def end(self) -> None:
        """Roll back what is not committed. Raises psycopg.Error."""
        pgconn = self._connection.pgconn
        if pgconn.pipeline_status:
            # A group was cancelled, and its replies did not come.
            await self._connection.close()
        elif pgconn.transaction_status != TransactionStatus.IDLE:
            await self._send([(_ROLLBACK, {})])

    async def _send(self, calls: Sequence[Call]) -> list[Sequence[Row]]:
        return await self._connection.wait(exchange(self._connection.pgconn, calls))
