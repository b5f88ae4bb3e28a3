"""Requests that are served at once, or in a known order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg

from tests.support.postgres import wait_for_locks

Result = TypeVar("Result")
Other = TypeVar("Other")


def together(work: Callable[[int], Result], clients: int) -> list[Result]:
    """Run the same work in many threads at once; return the result of each."""
    with ThreadPoolExecutor(clients) as threads:
        return list(threads.map(work, range(clients)))


def in_turn(
    database: str, user_id: str, first: Callable[[], Result], second: Callable[[], Other]
) -> tuple[Result, Other]:
    """Let two writes of one user wait for the account's lock, and take effect one after the other.

    So the second one was sent to PostgreSQL before the first one was committed. Each write needs a service of its own:
    within one, a user's writes wait for each other before they are sent.
    """
    with ThreadPoolExecutor(2) as threads, psycopg.connect(database) as connection:
        connection.execute("SELECT FROM accounts WHERE user_id = %s FOR UPDATE", [user_id])
        one = threads.submit(first)
        wait_for_locks(database, 1)
        other = threads.submit(second)
        wait_for_locks(database, 2)
        connection.rollback()
        return one.result(), other.result()
