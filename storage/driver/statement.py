"""A query on its way through the pipeline: its parameters, the server's replies, and the future of its rows."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psycopg.errors import OperationalError, error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from storage.driver.connection import ends_connection
from storage.driver.parameters import dumped
from storage.driver.plans import Plan
from storage.driver.query import Query, Row

if TYPE_CHECKING:
    from storage.driver.shared_connection import SharedConnection

_ROWS, _DONE, _ERROR = int(ExecStatus.TUPLES_OK), int(ExecStatus.COMMAND_OK), int(ExecStatus.FATAL_ERROR)
_CONFUSED = "the server's replies do not match the statements"


class NoEffect(OperationalError):
    """A statement had no effect, and may succeed when it is repeated."""


class Struck(NoEffect):
    """A cancellation that was meant for the statement before it ended a statement that is repeated."""


class Lost(NoEffect):
    """The connection of a statement broke before it took effect."""


class Statement:
    """A query to run once, until `deadline` at the latest. `owner` is the user that its parameters name, or None.

    The first `skips` replies are those to other statements of its transaction. Times are in seconds, by the event
    loop's clock.
    """

    connection: "SharedConnection | None" = None
    plan: Plan
    is_slow = False
    sent = 0.0
    skips = 0
    rows: Sequence[Row] | None = None
    error: Exception | None = None

    def __init__(
        self,
        query: Query,
        parameters: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop,
        deadline: float,
        *,
        is_repeated: bool = False,
    ) -> None:
        """Convert the parameters. Raises psycopg.DataError."""
        self.deadline, self.is_repeated = deadline, is_repeated
        self.query = query
        self.owner = parameters.get("user_id")
        self.values = dumped(query.values(**parameters))
        self.created = loop.time()
        self.future: asyncio.Future[Sequence[Row]] = loop.create_future()

    def join(self, connection: "SharedConnection") -> None:
        """Note that the statement is in line on a connection."""
        self.connection = connection
        connection.owners[self.owner] = connection.owners.get(self.owner, 0) + 1

    def leave(self) -> None:
        """Note that the statement is in line no more."""
        if self.connection is not None:
            owners = self.connection.owners
            if others := owners.pop(self.owner) - 1:
                owners[self.owner] = others
            self.connection = None

    def accept(self, status: int, result: PGresult) -> None:
        """Store one of the server's replies. The one that ends the transaction comes last, and is not passed here.

        Raises OperationalError if the reply must belong to another statement.
        """
        if status == _ROWS and self.skips:
            self.skips -= 1
        elif status == _ROWS:
            if isinstance(self.rows, list):
                raise OperationalError(_CONFUSED)
            try:
                self.rows = self.plan.load(result)
            except Exception as error:  # Whatever it is, it must not affect the statements behind this one.
                self.error = error
        elif status == _DONE:
            self.rows = ()
        elif status == _ERROR and self.error is None:
            reported = error_from_result(result)
            # Libpq's own errors have no SQLSTATE: it has lost the connection, or cannot make sense of what came.
            is_lost = not reported.sqlstate or ends_connection(reported)
            self.error = OperationalError(str(reported)) if is_lost else reported
        # PIPELINE_ABORTED follows an error, and needs no handling.

    def check_reply(self) -> None:
        """Raise OperationalError if the transaction has ended without a reply to the statement."""
        if self.rows is None and self.error is None:
            raise OperationalError(_CONFUSED)

    def fail(self, error: Exception) -> None:
        """Fail the future, unless it is already done."""
        if not self.future.done():
            self.future.set_exception(error)

    def end(self) -> None:
        """Set the rows or the error, once the transaction has ended."""
        self.leave()
        if self.error is not None:
            self.fail(self.error)
        elif not self.future.done():
            self.future.set_result(self.rows or ())
