"""A process that watches and writes: several of them in one test stand for workers and replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from sqlalchemy import text

from storage.changes import NOTHING_WRITTEN, Head
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from storage.watchers import Watch, Watchers

WRITE = Query(
    text(
        "INSERT INTO accounts AS a (user_id, revision) VALUES (:user_id, 1) "
        "ON CONFLICT (user_id) DO UPDATE SET revision = a.revision + 1 RETURNING revision"
    )
)
# So soon after the first watch has begun, all heads are read once more.
SETTLED_SECONDS = 0.7


class Process(NamedTuple):
    """What a process of the service has for its users."""

    database: Database
    watchers: Watchers

    async def write(self, user_id: str) -> None:
        """Increment a user's revision, in a single statement."""
        await WRITE.fetch_one(self.database.pipeline, user_id=user_id)

    async def write_in_transaction(self, user_id: str) -> None:
        """Increment a user's revision, in a transaction."""

        async def work(transaction: Transaction) -> None:
            await transaction.commit((WRITE, {"user_id": user_id}))

        await self.database.in_transaction(user_id, work)

    @property
    def works(self) -> bool:
        """Whether the process hears others."""
        return self.database.announcements.works


@asynccontextmanager
async def process(
    url: str, *, per_user: int = 20, per_worker: int = 2000, prepared_statements: bool = True
) -> AsyncIterator[Process]:
    """Run a process, and end it as the service does."""
    database = Database(
        url,
        min_size=1,
        max_size=3,
        pool_timeout=5,
        statement_timeout=5,
        prepared_statements=prepared_statements,
    )
    watchers = Watchers(database, per_user=per_user, per_worker=per_worker)
    await database.open()
    try:
        yield Process(database, watchers)
    finally:
        await watchers.close()
        await database.close()


class Wait:
    """A wait for the next change, which has begun to wait."""

    def __init__(self, watch: Watch, seen: Head) -> None:
        self._next = asyncio.create_task(watch.next(seen, 10))

    async def head(self, *, within: float) -> Head:
        """Return the new head. Raises TimeoutError if it takes longer than so many seconds from now."""
        async with asyncio.timeout(within):
            head = await self._next
        assert head is not None
        return head


async def wait_for_next(watch: Watch, seen: Head = NOTHING_WRITTEN, settled: float = 0.1) -> Wait:
    """Begin to wait for a change, and give the wait some time to look at what is there."""
    wait = Wait(watch, seen)
    await asyncio.sleep(settled)
    assert not wait._next.done()
    return wait


def others() -> set[asyncio.Task[Any]]:
    """Return the tasks that run beside the test."""
    return asyncio.all_tasks() - {asyncio.current_task()}
