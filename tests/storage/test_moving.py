"""A move takes two round trips to the database, however many tasks there are, and finds the place by an index."""

import time
from uuid import UUID

import psycopg
import pytest

from storage.administration.migrations import migrate
from storage.driver.database import Database
from storage.moves import move_task
from storage.siblings import Spot
from tests.support.driver import with_database
from tests.support.faulty_proxy import faulty_proxy
from tests.support.postgres import new_database

DELAY = 0.5
TASKS = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)
    SELECT 'ada', ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n, 'a task', false, 1, '{}',
           timestamptz '2026-01-01' + n * interval '1 second', now()
    FROM generate_series(1, %s::int) n
"""


def task(number: int) -> UUID:
    """Return the id of a task."""
    return UUID(f"00000000-0000-7000-8000-{number:012}")


@pytest.mark.parametrize("number", [3, 3_000])
@pytest.mark.parametrize("spot", [Spot("after", task(1)), Spot("before", task(1)), Spot("first"), Spot("last")])
def test_a_move_waits_for_the_database_twice(postgres: str, number: int, spot: Spot) -> None:
    url = new_database(postgres)
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(TASKS, [number])
        connection.execute("INSERT INTO accounts VALUES ('ada', %s)", [number])
    with faulty_proxy(url) as proxy:

        async def test(opened: Database) -> None:
            await opened.in_transaction("ada", lambda transaction: transaction.commit())
            proxy.delay = DELAY
            began = time.monotonic()
            moved = await move_task(opened, "ada", task(2 if spot.side == "last" else 3), spot, None)
            assert 2 * DELAY < time.monotonic() - began < 3 * DELAY
            assert moved.revision == number + 1
            proxy.delay = 0.0

        with_database(proxy.url, test)
