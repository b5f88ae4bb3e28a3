"""The sessions that the pipeline has on a server, seen and disturbed from a connection of its own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_OTHERS = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"


class Observer:
    """A connection in autocommit that looks at the other sessions on its database, and holds locks they wait for."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: str) -> list[Any]:
        """Run a statement and return the first column of its rows."""
        cursor = self._connection.execute(statement.encode())
        return [row[0] for row in cursor.fetchall()] if cursor.description else []

    def backends(self, condition: str = "true") -> set[int]:
        """Return the process ids of the other sessions for which a condition on pg_stat_activity holds."""
        return set(self.execute(f"SELECT pid FROM pg_stat_activity WHERE {_OTHERS} AND {condition}"))  # noqa: S608

    def waiting(self) -> set[int]:
        """Return the process ids of the other sessions that wait for a lock."""
        return self.backends("wait_event_type = 'Lock'")

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Make every statement that calls `pg_advisory_xact_lock_shared(1)` wait until the end of the `with` block."""
        self.execute("SELECT pg_advisory_lock(1)")
        try:
            yield
        finally:
            self.execute("SELECT pg_advisory_unlock(1)")


@contextmanager
def observe(url: str) -> Iterator[Observer]:
    """Connect an observer to a database."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield Observer(connection)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds. Raises TimeoutError after 10 seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition is outside this process
            await asyncio.sleep(0.01)
