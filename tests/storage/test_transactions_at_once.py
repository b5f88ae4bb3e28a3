"""Transactions of all users have three quarters of the connections, and long ones a quarter."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from storage.errors import Unavailable
from tests.support.driver import fetch, with_database
from tests.support.postgres import new_database
from tests.support.sessions import until

ONE = Query(text("SELECT 1"))


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of an empty database."""
    return new_database(postgres)


class Stay:
    """Transactions of one user each that go on until `end` is set; `begun` counts those that have a connection."""

    def __init__(self, opened: Database, number: int, *, is_long: bool = False) -> None:
        self.begun, self.end = 0, asyncio.Event()
        begin = partial(opened.in_transaction, work=self._work, is_long=is_long)
        self.tasks = [asyncio.create_task(begin(f"user-{one}")) for one in range(number)]

    async def _work(self, transaction: Transaction) -> None:
        await transaction.run((ONE, {}))
        self.begun += 1
        await self.end.wait()
        await transaction.commit()


async def write(transaction: Transaction) -> object:
    """Run a short transaction."""
    return await transaction.commit((ONE, {}))


@pytest.mark.parametrize(("connections", "most"), [(1, 1), (2, 1), (3, 2), (10, 7)])
def test_transactions_leave_connections_to_single_statements(url: str, connections: int, most: int) -> None:
    async def test(opened: Database) -> None:
        staying = Stay(opened, 20)
        await until(lambda: staying.begun == most)
        if connections > 1:
            slow = [asyncio.create_task(fetch(opened.pipeline, "SELECT pg_sleep(0.2)")) for _ in range(20)]
            for _ in range(20):
                assert await fetch(opened.pipeline, "SELECT 1") == [(1,)]
            await asyncio.gather(*slow)
        assert (staying.begun, opened.load()) == (most, (most, 20 - most))
        staying.end.set()
        await asyncio.gather(*staying.tasks)
        assert (staying.begun, opened.load()) == (20, (0, 0))

    with_database(url, test, connections=connections, pool_timeout=60, statement_timeout=60)


@pytest.mark.parametrize(("connections", "most"), [(3, 1), (10, 3)])
def test_long_transactions_leave_connections_to_short_ones(url: str, connections: int, most: int) -> None:
    async def test(opened: Database) -> None:
        staying = Stay(opened, 20, is_long=True)
        await until(lambda: staying.begun == most)
        for number in range(20):
            assert await opened.in_transaction(f"short-{number}", write) == [[(1,)]]
        assert (staying.begun, opened.load()) == (most, (most, 20 - most))
        staying.end.set()
        await asyncio.gather(*staying.tasks)
        assert (staying.begun, opened.load()) == (20, (0, 0))

    with_database(url, test, connections=connections, pool_timeout=60, statement_timeout=60)


def test_a_transaction_that_waits_for_too_long_is_refused(url: str) -> None:
    async def test(opened: Database) -> None:
        staying = Stay(opened, 3)
        await until(lambda: staying.begun == 3)
        with pytest.raises(Unavailable, match=r"no connection became free within 0\.5 s"):
            await opened.in_transaction("late", write)
        cancelled = asyncio.create_task(opened.in_transaction("late", write))
        await until(lambda: opened.load() == (3, 1))
        cancelled.cancel()
        await asyncio.wait({cancelled})
        assert opened.load() == (3, 0)
        staying.end.set()
        await asyncio.gather(*staying.tasks)
        assert (
            await asyncio.gather(*(opened.in_transaction(f"user-{one}", write) for one in range(4))) == [[[(1,)]]] * 4
        )

    with_database(url, test, connections=4, pool_timeout=0.5)


@pytest.mark.parametrize("connections", [1, 2, 4])
def test_single_statements_keep_no_transaction_waiting(
    url: str, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    """They share connections for a second, in which a transaction would get none."""
    monkeypatch.setattr("storage.driver.shared_connection._SHARED_SECONDS", 600)

    async def test(opened: Database) -> None:
        over = asyncio.Event()

        async def keep_busy() -> int:
            number = 0
            while not over.is_set():
                await fetch(opened.pipeline, "SELECT pg_sleep(0.01)")
                number += 1
            return number

        # As many as fit in line on all connections. With fewer statements, a slow machine needs fewer connections.
        busy = [asyncio.create_task(keep_busy()) for _ in range(16 * connections)]
        await until(lambda: opened.load()[0] == connections)
        for number in range(20):
            users = [f"user-{number}-{one}" for one in range(4)]
            await asyncio.gather(*(opened.in_transaction(user, write) for user in users))
        over.set()
        assert min(await asyncio.gather(*busy)) > 0

    with_database(url, test, connections=connections)
