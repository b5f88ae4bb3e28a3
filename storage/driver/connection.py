"""An exclusive connection, which a transaction of several statements needs."""

import asyncio
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import PQGen
from psycopg.errors import Diagnostic
from psycopg.waiting import Ready, wait_async

from storage.driver.plans import Plans
from storage.driver.query import Row

Result = TypeVar("Result")

_CANCEL_SECONDS = 1.0
_HELD_UP_SECONDS = 0.005
# Functions of PostgreSQL and of Citus that only warn if a write may be missing from a node, for now or for good.
_UNCERTAIN = {
    "SyncRepWaitForLSN": "the write may not have reached the synchronous standby",
    "FinishRemoteTransactionCommit": "a node of the cluster was lost during the commit, and commits once it is back",
}


def ends_connection(error: psycopg.Error) -> bool:
    """Return whether the server has ended the connection with this error, such as at its `transaction_timeout`."""
    return error.diag.severity_nonlocalized in ("FATAL", "PANIC")


class ExclusiveConnection(AsyncConnection[Row]):
    """A psycopg connection that runs queries, with a limit in seconds for each statement; None means no limit.

    The other attributes are for the pipeline: `plans`, `depth` (the most reads to have in flight), `round_trip` (the
    shortest time in which the server replied to a statement that did not have to wait, in seconds), `patience` (how old
    a statement in flight may be before it holds up others, in seconds), `notices_within` (after how many seconds the
    server has surely noticed that the connection is closed; 0 if that is unknown), `backend` (the server's process, by
    its id and when it began, in microseconds; None if it is unknown) and `gives_way` (whether a statement on it
    may have been cancelled to give way to others, since the connection was lent).
    """

    statement_timeout: float | None = None
    is_ready = True
    plans: Plans
    round_trip = 0.0
    patience = _HELD_UP_SECONDS
    depth = 1
    notices_within = 0.0
    backend: tuple[int, int] | None = None
    gives_way = False

    def note_round_trip(self, seconds: float) -> None:
        """Set `round_trip`, and with it `patience`."""
        self.round_trip = seconds
        self.patience = _HELD_UP_SECONDS + 2 * seconds

    def doubt(self, notice: Diagnostic) -> str | None:
        """Return why the write that the server is about to acknowledge must not be, if this is what the notice means.

        The text of a notice depends on the language of the server.
        """
        return _UNCERTAIN.get(notice.source_function or "")

    async def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - psycopg's
        """Run psycopg's generator `gen`, which executes a statement. Raises psycopg.OperationalError after the limit.

        Psycopg has no such limit, and its own method takes ten seconds to give up on a server that does not respond.
        """
        try:
            async with asyncio.timeout(self.statement_timeout):
                return await wait_async(gen, self.pgconn.socket, interval, timeout)
        except TimeoutError:
            await self._cancel(gen)
            raise psycopg.OperationalError(f"the statement took longer than {self.statement_timeout:g} s") from None
        except asyncio.CancelledError:
            await self._cancel(gen)
            raise

    async def _cancel(self, gen: PQGen[Any]) -> None:
        # If this fails, or does not apply because the connection is still being set up, the pool discards it.
        if not self.is_ready:
            return
        with suppress(psycopg.Error, TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self.cancel_safe()
                await wait_async(_resumed(gen), self.pgconn.socket)


def _resumed(gen: PQGen[Result]) -> PQGen[Result]:
    """Continue with a generator that has yielded. Psycopg's functions begin with one that is new.

    Resumed without a readiness, its `send` raises TypeError: `tests/storage/test_transactions.py`.
    """
    try:
        waits_for = gen.send(Ready.NONE)
        while True:
            waits_for = gen.send((yield waits_for))
    except StopIteration as end:
        result: Result = end.value
        return result
