"""The connections to PostgreSQL: psycopg's pool, which lends them to the pipeline and for transactions."""

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg.errors import InsufficientPrivilege
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from storage.driver.connection import ExclusiveConnection
from storage.driver.network import noticing_losses
from storage.driver.plans import Plans

# The errors which mean that the database is unavailable: it is unreachable or read-only, has lost a node of its cluster
# (for Citus an internal error), its tables do not exist yet or are closed to this role, or it has ended a transaction
# that paused for too long.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.InternalError_,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedTable,
    InsufficientPrivilege,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
# The pauses between attempts to connect while the database is away.
_RETRY_SECONDS = 0.5
# After every attempt has failed for this long, the database counts as away.
_AWAY_SECONDS = 1.0
# How long a request waits for a connection while the database is away.
_SHORT_WAIT_SECONDS = 0.05
# The most statements that a connection prepares. The first ones include those in common use.
_MOST_PREPARED = 100
# The most reads in flight on one connection.
_DEPTH = 16
# How long the server takes to notice that a connection is closed, in seconds: its interval, and a little more.
_NOTICE_SECONDS = 0.6
# When a session began, in microseconds: the same whatever its settings.
_BEGAN = "(extract(epoch FROM backend_start) * 1000000)::bigint"
_OWN_BEGIN = f"(SELECT {_BEGAN} FROM pg_stat_activity WHERE pid = pg_backend_pid())"  # noqa: S608 - no value is in it
# Later, another session may have the same process id.
_END = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND {_BEGAN} = %s"  # noqa: S608


class Pool(AsyncConnectionPool[ExclusiveConnection]):
    """A pool of autocommit connections that lends none which the server has closed. Times are in seconds.

    While the database is away, nobody waits long for a connection, and the pool tries to connect again and again.
    """

    def __init__(
        self,
        url: str,
        *,
        min_size: int,
        max_size: int,
        timeout: float,
        statement_timeout: float,
        prepared_statements: bool,
    ) -> None:
        self.statement_timeout = statement_timeout
        self._most_prepared = _MOST_PREPARED if prepared_statements else 0
        self.lent: set[ExclusiveConnection] = set()
        self._failing_since: float | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._retrying: asyncio.Task[None] | None = None
        self._forsaken: set[tuple[int, int]] = set()
        # The pipeline prepares statements, under names of its own.
        options = {"autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}
        super().__init__(
            url,
            connection_class=ExclusiveConnection,
            kwargs=options | noticing_losses(url),
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            configure=self._set_up,
            # Psycopg's own retries pause for up to five minutes, and would notice late that the database is back.
            reconnect_timeout=0,
            reconnect_failed=self._on_failure,
            open=False,
            name="todo-api",
        )

    @property
    def is_away(self) -> bool:
        """Whether there is no connection, and every attempt to connect has failed for some time."""
        since = self._failing_since
        return not self.lent and since is not None and time.monotonic() - since >= _AWAY_SECONDS

    async def take(self) -> ExclusiveConnection:
        """Return a connection that the caller must give back, first come first served.

        Raises psycopg.OperationalError.
        """
        async with self.in_time():
            # The pool's own check pauses for longer after each dead connection, and all of them may be dead.
            while _has_something_to_read(connection := await self.getconn()):
                await connection.close()
                await self.putconn(connection)
        connection.gives_way = False
        self.lent.add(connection)
        return connection

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Limit how long the `with` block may wait for a connection. Raises psycopg.OperationalError."""
        seconds = _SHORT_WAIT_SECONDS if self.is_away else self.timeout
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline) as limit:
                self._limits.add(limit)
                yield
        except (PoolTimeout, TimeoutError):
            was_away = seconds < self.timeout or limit.when() != deadline
            error = psycopg.OperationalError("the database is away") if was_away else none_was_free(self.timeout)
            raise error from None
        finally:
            self._limits.discard(limit)

    async def give_back(self, connection: ExclusiveConnection) -> None:
        """Take back a connection in any state, even broken."""
        self.lent.discard(connection)
        await self.putconn(connection)

    def forsake(self, connection: ExclusiveConnection) -> None:
        """Have the session of a broken connection ended before a new connection is used.

        One that is suspended, or whose network is lost, does not notice that its connection is broken.
        """
        if connection.backend is not None:
            self._forsaken.add(connection.backend)

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - psycopg's
        """Close the pool as psycopg does, and stop trying to connect."""
        if self._retrying is not None:
            self._retrying.cancel()
        await super().close(timeout)

    async def _on_failure(self, _: object) -> None:
        """Note that an attempt to connect has failed, and begin to retry."""
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry())
        if self.is_away:
            for limit in self._limits:
                # One that has just expired cannot be rescheduled.
                with suppress(RuntimeError):
                    limit.reschedule(asyncio.get_running_loop().time() + _SHORT_WAIT_SECONDS)

    async def _retry(self) -> None:
        """Have the pool try to connect: with `reconnect_timeout=0` it tries once for each request."""
        while self._failing_since is not None and (self._limits or not self.lent):
            await asyncio.sleep(_RETRY_SECONDS)
            await self.check()
        self._failing_since = None

    async def _set_up(self, connection: ExclusiveConnection) -> None:
        connection.statement_timeout = self.statement_timeout
        connection.plans = Plans(self._most_prepared)
        connection.is_ready = False
        began, pid = time.monotonic(), connection.info.backend_pid
        cursor = await connection.execute(
            "SELECT set_config('TimeZone', 'UTC', false), "
            # The locks of our writes suffice: a stricter default would only make them fail with serialization errors.
            "set_config('default_transaction_isolation', 'read committed', false), "
            # Only a warning says that a write was committed without the synchronous standby.
            "set_config('client_min_messages', 'warning', false), "
            # While a part of a group of statements has not arrived, the transaction keeps its locks, and no other time
            # limit of the server runs. So it, too, has to notice soon that the network loses packets.
            "set_config('tcp_keepalives_idle', '5', false), "
            "set_config('tcp_keepalives_interval', '2', false), "
            "set_config('tcp_keepalives_count', '2', false), "
            # Not behind a connection pooler, whose other clients may read slowly.
            f"CASE pg_backend_pid() WHEN {pid} THEN set_config('tcp_user_timeout', '8000', false) END, "
            # A session that waits for a lock would otherwise carry out what it has received long after its connection
            # has broken, and undo later writes. Where the operating system cannot tell, the server rejects this.
            f"CASE WHEN pg_backend_pid() = {pid} AND version() ~ 'linux' "
            "THEN set_config('client_connection_check_interval', '500', false) END, "
            f"{_OWN_BEGIN}, "
            "pg_backend_pid()"
        )
        row = await cursor.fetchone()
        # A connection pooler reports process ids of its own. While it passes on a reply, it may send a part of the next
        # statement to one server and the rest to another (PgBouncer's issue 759).
        is_direct = row is not None and row[-1] == pid
        connection.depth = _DEPTH if is_direct and self._most_prepared else 1
        if row is not None and is_direct:
            connection.notices_within = _NOTICE_SECONDS if row[-3] else 0.0
            connection.backend = (pid, row[-2]) if row[-2] else None
        connection.note_round_trip(time.monotonic() - began)
        await self._end_forsaken(connection)
        connection.is_ready = True
        self._failing_since = None

    async def _end_forsaken(self, connection: ExclusiveConnection) -> None:
        for session in [*self._forsaken]:
            with suppress(InsufficientPrivilege):
                await connection.execute(_END, session)
            self._forsaken.discard(session)


def first_line(error: Exception) -> str:
    """Return the first line of an error's message: PostgreSQL's further lines may quote rows."""
    return (str(error) or type(error).__name__).splitlines()[0]


def none_was_free(seconds: float) -> psycopg.OperationalError:
    """Return the error of a statement that has waited this long for a connection."""
    return psycopg.OperationalError(f"no connection became free within {seconds:g} s")


def _has_something_to_read(connection: ExclusiveConnection) -> bool:
    """Return whether the server has sent something on an idle connection, usually that it has closed it."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
