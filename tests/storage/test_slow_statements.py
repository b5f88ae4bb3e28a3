"""A slow statement holds up few others: which connections the pipeline opens, shares and gives back."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Query
from storage.errors import Unavailable
from tests.support.driver import fetch, held, open_database, until_held_up, with_database
from tests.support.postgres import database_with
from tests.support.sessions import Observer, until

COUNTERS = """
    CREATE TABLE counters (user_id text PRIMARY KEY, value integer NOT NULL);
    INSERT INTO counters VALUES ('ada', 0), ('bob', 0), ('eve', 0), ('grace', 0);
"""


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database with a counter for each of four users."""
    return database_with(postgres, COUNTERS)


async def count(opened: Database, user: str) -> int:
    """Increment the user's counter, and return its value."""
    increment = "UPDATE counters SET value = value + 1 WHERE user_id = :user_id RETURNING value"
    ((value,),) = await fetch(opened.pipeline, increment, user_id=user)
    return int(value)


async def read(opened: Database, user: str) -> str:
    """Run a fast statement of a user."""
    ((value,),) = await fetch(opened.pipeline, "SELECT :user_id", user_id=user)
    return str(value)


async def wait_at_the_gate(opened: Database, user: str) -> str:
    """Run a statement of a user that waits as long as the gate is closed."""
    ((value,),) = await fetch(opened.pipeline, "SELECT :user_id FROM pg_advisory_xact_lock_shared(1)", user_id=user)
    return str(value)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let statements be sent behind one that is up to a second old, so that a busy machine does not matter."""
    monkeypatch.setattr("storage.driver.connection._HELD_UP_SECONDS", 1)


@contextmanager
def locked(url: str, *users: str) -> Iterator[None]:
    """Lock the counters of some users during the `with` block."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT FROM counters WHERE user_id = ANY(%s) FOR UPDATE", [[*users]])
        yield


@pytest.mark.parametrize("pause", [0, 0.05], ids=["sent with it", "sent later"])
def test_statements_behind_a_slow_one_finish_before_it(url: str, observer: Observer, pause: float) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            slow = asyncio.create_task(wait_at_the_gate(opened, "slow"))
            await asyncio.sleep(pause)
            users = [f"user-{number}" for number in range(50)]
            assert await asyncio.gather(*(read(opened, user) for user in users)) == users
            assert not slow.done()
        assert await slow == "slow"

    with_database(url, test, connections=2)


def test_statements_that_end_as_they_are_cancelled_do_not_fail_those_behind_them(url: str) -> None:
    # Each takes about as long as it may hold up others. So some cancellations come too late, and hit the next one.
    queries = [f"SELECT {number}, pg_sleep({0.1 + number % 12 * 0.0015})" for number in range(60)]

    async def test() -> None:
        async with AsyncExitStack() as stack:
            opening = [open_database(url, pool_timeout=60, statement_timeout=60) for _ in range(12)]
            databases = [await stack.enter_async_context(one) for one in opening]
            await asyncio.gather(*(fetch(one.pipeline, query) for one in databases for query in queries))

    asyncio.run(test())


def test_a_query_that_was_slow_gets_a_connection_of_its_own_from_then_on(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            slow = asyncio.create_task(wait_at_the_gate(opened, "slow"))
            behind = asyncio.create_task(read(opened, "slow"))
            await until(observer.waiting)
            await asyncio.sleep(0.05)
        await asyncio.gather(slow, behind)
        with observer.gate():
            again = asyncio.create_task(wait_at_the_gate(opened, "slow"))
            fast = asyncio.create_task(read(opened, "fast"))
            await until(observer.waiting)
            (first,) = observer.waiting()
            assert await fast == "fast"
            # The slow statement has not been cancelled for the fast one's sake: the same session still waits.
            assert observer.waiting() == {first}
        assert await again == "slow"

    with_database(url, test, connections=2)


def test_connections_are_opened_up_to_the_maximum_while_all_are_held_up(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            slow = []
            for number in range(3):
                slow.append(asyncio.create_task(wait_at_the_gate(opened, f"user-{number}")))
                await until(lambda: len(observer.waiting()) == len(slow))
                await until_held_up(opened)
            late = [read(opened, f"late-{number}") for number in range(10)]
            for outcome in await asyncio.gather(*late, return_exceptions=True):
                assert isinstance(outcome, Unavailable)
                assert str(outcome) == "no connection became free within 0.5 s"
            assert len(opened._pool.lent) == 3
        assert await asyncio.gather(*slow) == ["user-0", "user-1", "user-2"]
        assert await read(opened, "afterwards") == "afterwards"

    with_database(url, test, connections=3, pool_timeout=0.5)


def test_one_more_statement_than_a_connection_takes_opens_another(url: str, observer: Observer) -> None:
    at_the_gate = Query(text("SELECT 1 FROM pg_advisory_xact_lock_shared(1)"), prepare=False)

    async def test(opened: Database) -> None:
        with observer.gate():
            # They share one user, so that none of them is cancelled for the sake of another's.
            sent = asyncio.gather(*(opened.pipeline.run(at_the_gate, {"user_id": "ada"}) for _ in range(17)))
            await until(lambda: len(observer.waiting()) == 2)
        assert await sent == [[(1,)]] * 17

    with_database(url, test, connections=5)


def test_writes_of_one_user_that_wait_for_its_lock_hold_one_connection(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with locked(url, "ada"):
            writes = [asyncio.create_task(count(opened, "ada")) for _ in range(20)]
            await until(observer.waiting)
            (holder,) = observer.waiting()
            for _ in range(20):
                assert await count(opened, "grace")
                assert await read(opened, "ada") == "ada"
                assert observer.waiting() == {holder}
                await asyncio.sleep(0.01)
            assert not any(write.done() for write in writes)
        assert await asyncio.gather(*writes) == list(range(1, 21))

    with_database(url, test, connections=4)


@pytest.mark.parametrize("connections", [1, 3])
def test_writes_that_wait_for_locks_do_not_hold_up_other_users(url: str, observer: Observer, connections: int) -> None:
    async def test(opened: Database) -> None:
        with locked(url, "ada", "bob", "eve"):
            waiting = [asyncio.create_task(count(opened, user)) for user in ("ada", "bob", "eve")]
            await until(lambda: len(observer.waiting()) == connections)
            for number in range(1, 11):
                assert await count(opened, "grace") == number
                assert await read(opened, "grace") == "grace"
            assert not any(one.done() for one in waiting)
        assert await asyncio.gather(*waiting) == [1, 1, 1]

    with_database(url, test, connections=connections)


@pytest.mark.parametrize("connections", [1, 3])
def test_transactions_that_wait_for_locks_do_not_hold_up_other_users(
    url: str, observer: Observer, connections: int
) -> None:
    increment = Query(text("UPDATE counters SET value = value + 1 WHERE user_id = :user_id RETURNING value"))

    async def test(opened: Database) -> None:
        async def transact(user: str) -> int:
            (rows,) = await opened.in_transaction(user, lambda one: one.commit((increment, {"user_id": user})))
            return int(rows[0][0])

        with locked(url, "ada", "bob", "eve"):
            waiting = [asyncio.create_task(transact(user)) for user in ("ada", "bob", "eve")]
            await until(observer.waiting)
            for number in range(1, 10, 2):
                assert await transact("grace") == number
                assert await count(opened, "grace") == number + 1
            assert not any(one.done() for one in waiting)
        assert await asyncio.gather(*waiting) == [1, 1, 1]

    with_database(url, test, connections=connections)


def test_a_write_that_waits_for_a_lock_keeps_its_place_in_the_queue_while_nobody_needs_its_connection(
    url: str, observer: Observer
) -> None:
    async def test(opened: Database) -> None:
        with locked(url, "ada"):
            waits = asyncio.create_task(count(opened, "ada"))
            await until(observer.waiting)
            (holder,) = observer.waiting()
            for _ in range(10):
                assert await count(opened, "grace")
                await asyncio.sleep(0.05)
            assert observer.waiting() == {holder}
        assert await waits == 1

    with_database(url, test, connections=2)


def test_a_write_whose_lock_stays_taken_while_others_need_its_connection_fails_in_time(
    url: str, observer: Observer
) -> None:
    async def test(opened: Database) -> None:
        with locked(url, "ada"):
            waits = asyncio.create_task(count(opened, "ada"))
            await until(observer.waiting)
            async with asyncio.timeout(5):
                while not waits.done():
                    assert await count(opened, "grace")
            assert isinstance(waits.exception(), Unavailable)
        assert await count(opened, "ada") == 1

    with_database(url, test, pool_timeout=1, statement_timeout=1)


@pytest.mark.usefixtures("patient")
def test_a_write_is_alone_on_its_connection(url: str) -> None:
    """Of what a killed process has sent, the server could carry out more than the statement that it is running."""

    async def test(opened: Database) -> None:
        await read(opened, "ada")
        with locked(url, "ada"):
            waits = asyncio.create_task(count(opened, "ada"))
            others = [asyncio.create_task(read(opened, f"user-{number}")) for number in range(10)]
            others += [asyncio.create_task(read(opened, "grace"))]
            writes = [asyncio.create_task(count(opened, "grace")) for _ in range(10)]
            await asyncio.sleep(0)
            assert [len(one.in_flight) for one in opened.pipeline._connections] == [1]
            assert await asyncio.gather(*writes) == [*range(1, 11)]
            assert len(await asyncio.gather(*others)) == 11
            assert not waits.done()
        assert await waits == 1

    with_database(url, test, connections=2)


@pytest.mark.parametrize(("connections", "transactions"), [(1, 1), (2, 1), (3, 2)])
def test_as_many_transactions_as_may_run_while_the_pipeline_uses_all_connections(
    url: str, connections: int, transactions: int
) -> None:
    async def test(opened: Database) -> None:
        all_begun, ended = asyncio.Barrier(transactions), asyncio.Event()

        async def keep_reading(user: str) -> int:
            done = 0
            while not ended.is_set():
                await fetch(opened.pipeline, "SELECT FROM pg_sleep(0.01)", user_id=user)
                done += 1
            return done

        async def transact() -> None:
            async with held(opened) as connection:
                await all_begun.wait()
                assert await fetch(connection, "SELECT 1") == [(1,)]

        readers = [asyncio.create_task(keep_reading(f"user-{number}")) for number in range(20)]
        await until(lambda: opened.load()[0] == connections)
        await asyncio.gather(*(transact() for _ in range(transactions)))
        ended.set()
        assert all(await asyncio.gather(*readers))

    with_database(url, test, connections=connections, pool_timeout=2)


def test_idle_connections_go_back_to_the_pool(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            slow = [asyncio.create_task(wait_at_the_gate(opened, f"user-{number}")) for number in range(3)]
            await until(lambda: len(observer.waiting()) == 3)
            assert len(opened._pool.lent) == 3
        await asyncio.gather(*slow)
        # Little work needs one connection, even if it would reach all of them; no work needs none.
        async with asyncio.timeout(10):
            while len(opened._pool.lent) > 1:
                await asyncio.gather(*(read(opened, "ada") for _ in range(3)))
                await asyncio.sleep(0.05)
        await until(lambda: len(opened._pool.lent) == 0)
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(held(opened))
            assert opened._pool.get_stats()["pool_size"] == 3

    with_database(url, test, connections=3)


def test_closing_the_database_ends_what_is_in_flight_or_waits(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate(), locked(url, "ada"):
            held: list[asyncio.Task[Any]] = [asyncio.create_task(wait_at_the_gate(opened, "grace"))]
            await until(lambda: len(observer.waiting()) == 1)
            held.append(asyncio.create_task(count(opened, "ada")))
            await until(lambda: len(observer.waiting()) == 2)
            held.append(asyncio.create_task(read(opened, "late")))
            await asyncio.sleep(0)
            await opened.close()
            outcomes = await asyncio.gather(*held, return_exceptions=True)
        assert [type(one) for one in outcomes] == [Unavailable] * 3

    with_database(url, test, connections=2)
