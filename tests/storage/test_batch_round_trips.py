"""A batch takes two round trips to the database, however many operations it has."""

import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from storage.administration.migrations import migrate
from storage.batch import Batch, run_batch
from storage.batch_plan import Operation
from storage.driver.database import Database
from storage.idempotency import Key
from tests.support.driver import with_database
from tests.support.faulty_proxy import faulty_proxy
from tests.support.postgres import new_database

DELAY = 0.5
TASK = {
    "title": "A task",
    "description": None,
    "completed": False,
    "priority": 2,
    "due_date": None,
    "tags": ["home"],
    "position": None,
}
IDS = [uuid4() for _ in range(100)]


def every_other(ids: Sequence[UUID]) -> list[Operation]:
    """Return operations that create half of the tasks, and delete the other half, which is not there."""
    return [Operation("delete" if n % 2 else "create", one, {} if n % 2 else TASK) for n, one in enumerate(ids)]


@pytest.mark.parametrize("key", [None, Key("key", b"fingerprint")], ids=["no key", "key"])
@pytest.mark.parametrize("number", [1, 100])
def test_a_batch_waits_for_the_database_twice(postgres: str, number: int, key: Key | None) -> None:
    url = new_database(postgres)
    migrate(url)
    with faulty_proxy(url) as proxy:

        async def run(opened: Database) -> Batch:
            return await run_batch(opened, "ada", every_other(IDS[:number]), is_atomic=False, key=key)

        async def test(opened: Database) -> None:
            await opened.in_transaction("ada", lambda transaction: transaction.commit())
            proxy.delay = DELAY
            began = time.monotonic()
            done = await run(opened)
            assert 2 * DELAY < time.monotonic() - began < 3 * DELAY
            assert done.revision == (number + 1) // 2
            proxy.delay = 0.0

        with_database(proxy.url, test)
