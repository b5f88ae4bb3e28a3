"""Writes that wait for a lock, each of them on a database connection of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg

from tests.support.client import User
from tests.support.postgres import wait_for_locks


@contextmanager
def locked_writes(url: str, server: str, *, writes: int, connections: int) -> Iterator[None]:
    """Lock the tasks during the `with` block, while as many users write; check that all writes succeed afterwards.

    Writes of one user would share a connection. `connections` is how many of the writes get one.
    """
    with ExitStack() as stack:
        users = [stack.enter_context(User(server, f"user-{number}")) for number in range(writes)]
        for user in users:
            user.create("before")
        threads = stack.enter_context(ThreadPoolExecutor(writes))
        with psycopg.connect(url) as connection:
            # What waits for the lock of a row would give way to others.
            connection.execute("LOCK TABLE tasks IN SHARE MODE")
            created = [threads.submit(user.create, "waits") for user in users]
            wait_for_locks(url, connections)
            yield
        assert [one.result()["title"] for one in created] == ["waits"] * writes
