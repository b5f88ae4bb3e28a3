"""Requests of one user that wait for each other, in a known order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from tests.support.client import User
from tests.support.postgres import wait_for_locks


def one_after_the_other(database: str, user: User, first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """Start a request while the user's account is locked, then another once the first one waits; return their results.

    They must not share a connection, as single statements of one user do.
    """
    with ThreadPoolExecutor(2) as threads:
        with psycopg.connect(database) as connection:
            connection.execute("SELECT FROM accounts WHERE user_id = %s FOR UPDATE", [user.id])
            started = []
            for request in (first, second):
                started.append(threads.submit(request))
                wait_for_locks(database, len(started))
        return [one.result() for one in started]


def together(work: Callable[[int], Any], clients: int) -> list[Any]:
    """Run the same work in many threads at once; return the result of each."""
    with ThreadPoolExecutor(clients) as threads:
        return list(threads.map(work, range(clients)))
