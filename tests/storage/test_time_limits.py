"""Time limits: the server cancels the statement whose time is up, and no other; no client cancels what others share."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Query, Row
from storage.driver.transaction import Transaction
from storage.errors import Unavailable
from tests.support.driver import fetch, held, with_database
from tests.support.faulty_proxy import faulty_proxy
from tests.support.postgres import database_with
from tests.support.sessions import Observer, observe, until

SLEEP = "SELECT :number FROM pg_sleep(CAST(:seconds AS float))"
# It has no key, so that it would show a row that was written twice.
ENTRIES = "CREATE TABLE entries (number integer NOT NULL)"
WRITE = "INSERT INTO entries SELECT :number FROM pg_sleep(CAST(:seconds AS float)) RETURNING number"


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database with a table of entries."""
    return database_with(postgres, ENTRIES)


@pytest.mark.parametrize("users", [1, 2], ids=["one user", "two users"])
def test_a_statement_that_takes_too_long_is_cancelled_and_no_other(url: str, observer: Observer, users: int) -> None:
    async def test(opened: Database) -> None:
        slow = asyncio.create_task(fetch(opened.pipeline, SLEEP, user_id="ada", number="slow", seconds=600))
        other = "ada" if users == 1 else "grace"
        behind = [fetch(opened.pipeline, SLEEP, user_id=other, number=str(n), seconds=0) for n in range(10)]
        assert await asyncio.gather(*behind) == [[(str(number),)] for number in range(10)]
        with pytest.raises(Unavailable, match=r"took longer than 0\.3 s"):
            await slow
        await until(lambda: not observer.backends("state = 'active'"))

    with_database(url, test, statement_timeout=0.3)


def test_time_counts_from_when_a_statement_is_first_in_line(url: str) -> None:
    async def test(opened: Database) -> None:
        slow = [fetch(opened.pipeline, SLEEP, user_id="ada", number=str(n), seconds=0.5) for n in range(3)]
        assert await asyncio.gather(*slow) == [[(str(number),)] for number in range(3)]

    with_database(url, test, statement_timeout=0.9)


def test_a_statement_that_is_repeated_has_only_the_time_that_is_left(url: str, observer: Observer) -> None:
    """Its wait and its time are five seconds in all, so it fails before one that begins two seconds later."""

    async def test(opened: Database) -> None:
        repeated = asyncio.create_task(fetch(opened.pipeline, SLEEP, user_id="ada", number="repeated", seconds=600))
        await asyncio.sleep(2)
        backends = observer.backends("state = 'active'")
        later = asyncio.create_task(fetch(opened.pipeline, SLEEP, user_id="grace", number="later", seconds=600))
        await asyncio.sleep(1)
        for backend in backends:
            observer.execute(f"SELECT pg_terminate_backend({backend})")
        first, _ = await asyncio.wait({repeated, later}, return_when=asyncio.FIRST_COMPLETED)
        assert first == {repeated}
        for one in (repeated, later):
            with pytest.raises(Unavailable, match="took longer"):
                await one

    with_database(url, test, connections=2, pool_timeout=1, statement_timeout=4)


@pytest.mark.parametrize("limit", [0.2, 5], ids=["cancelled by their limit", "cancelled because they hold up others"])
def test_a_write_that_ends_as_it_is_cancelled_takes_effect_once_or_fails(
    url: str, observer: Observer, limit: float
) -> None:
    """Writes last about as long as it takes until they are cancelled, so that some end first."""
    seconds = 0.2 if limit == 0.2 else 0.1

    async def test(opened: Database) -> None:
        async def write(number: int) -> Sequence[Row]:
            takes = seconds + (number % 20 - 10) / 500
            return await fetch(opened.pipeline, WRITE, user_id=f"user-{number}", number=number, seconds=takes)

        outcomes = await asyncio.gather(*map(write, range(60)), return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            assert outcome == [(number,)] or (isinstance(outcome, Unavailable) and "took longer" in str(outcome))
        acknowledged = [number for number, outcome in enumerate(outcomes) if outcome == [(number,)]]
        assert len(acknowledged) == 60 or limit == 0.2
        assert sorted(observer.execute("SELECT number FROM entries")) == acknowledged

    with_database(url, test, connections=10, pool_timeout=60, statement_timeout=limit)


def test_a_server_that_does_not_cancel_a_statement_loses_its_connection(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            stuck = asyncio.create_task(fetch(opened.pipeline, "SELECT pg_advisory_xact_lock_shared(1)", user_id="ada"))
            behind = asyncio.create_task(fetch(opened.pipeline, "SELECT 'behind'", user_id="ada"))
            await until(observer.waiting)
            (backend,) = observer.waiting()
            os.kill(backend, signal.SIGSTOP)
            try:
                with pytest.raises(Unavailable, match="did not end when it was cancelled"):
                    async with asyncio.timeout(10):
                        await stuck
                assert await behind == [("behind",)]
                assert await fetch(opened.pipeline, "SELECT 'next'") == [("next",)]
                assert backend in observer.backends()
            finally:
                os.kill(backend, signal.SIGCONT)
        await until(lambda: backend not in observer.backends())

    with_database(url, test, statement_timeout=0.3)


def test_a_client_that_goes_away_cancels_neither_its_own_statement_nor_others(url: str, observer: Observer) -> None:
    faults: list[object] = []

    async def test(opened: Database) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        with observer.gate():
            write = "INSERT INTO entries SELECT :number FROM pg_advisory_xact_lock_shared(1) RETURNING number"
            gone, *staying = (
                asyncio.create_task(fetch(opened.pipeline, write, user_id="ada", number=number)) for number in range(6)
            )
            await until(observer.waiting)
            gone.cancel()
            await asyncio.wait([gone])
            # A cancellation would have reached the server by then.
            await asyncio.sleep(0.2)
        assert await asyncio.gather(*staying) == [[(number,)] for number in range(1, 6)]
        assert gone.cancelled()
        assert observer.execute("SELECT number FROM entries") == [0, 1, 2, 3, 4, 5]

    with_database(url, test)
    assert faults == []


def test_a_transaction_that_pauses_too_long_loses_its_locks_and_has_no_effect(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        async def pause(transaction: Transaction) -> None:
            await transaction.run((Query(text("INSERT INTO entries VALUES (1)")), {}))
            await until(lambda: not observer.backends("state = 'idle in transaction'"))
            await transaction.commit()

        async def write(transaction: Transaction) -> None:
            await transaction.commit((Query(text("INSERT INTO entries VALUES (2)")), {}))

        with pytest.raises(Unavailable):
            await opened.in_transaction("ada", pause)
        assert observer.execute("SELECT number FROM entries") == []
        await opened.in_transaction("ada", write)
        assert observer.execute("SELECT number FROM entries") == [2]

    with_database(url, test, statement_timeout=0.3)


def test_a_statement_of_a_client_that_goes_away_before_it_is_sent_never_runs(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        async with held(opened):
            gone = asyncio.create_task(fetch(opened.pipeline, WRITE, user_id="ada", number=1, seconds=0))
            await asyncio.sleep(0)
            gone.cancel()
        assert await fetch(opened.pipeline, "SELECT 1") == [(1,)]
        assert observer.execute("SELECT number FROM entries") == []

    with_database(url, test)


def test_a_write_behind_another_of_a_client_that_goes_away_before_it_is_sent_never_runs(
    url: str, observer: Observer
) -> None:
    write = "INSERT INTO entries SELECT :number FROM pg_advisory_xact_lock_shared(1) RETURNING number"

    async def test(opened: Database) -> None:
        with observer.gate():
            first = asyncio.create_task(fetch(opened.pipeline, write, user_id="ada", number=1))
            await until(observer.waiting)
            await asyncio.sleep(0.1)
            gone = asyncio.create_task(fetch(opened.pipeline, write, user_id="ada", number=2))
            await asyncio.sleep(0)
            gone.cancel()
        assert await first == [(1,)]
        assert await fetch(opened.pipeline, "SELECT 1") == [(1,)]
        assert observer.execute("SELECT number FROM entries") == [1]

    with_database(url, test)


def test_a_statement_whose_connection_breaks_late_waits_for_another_only_in_the_time_that_is_left(url: str) -> None:
    with faulty_proxy(url) as proxy, observe(url) as observer:

        async def test(opened: Database) -> None:
            started = time.monotonic()
            with observer.gate():
                async with held(opened):
                    read = asyncio.create_task(fetch(opened.pipeline, "SELECT pg_advisory_xact_lock_shared(1)"))
                    await asyncio.sleep(1.8)
                await until(observer.waiting)
                await asyncio.sleep(1.5)
                # As a server that has frozen, it accepts connections and does not respond.
                proxy.silent = True
                proxy.reset(after=b"")
                with pytest.raises(Unavailable):
                    await read
            # The limit is 4 s: 2 to become first in line, and 2 to end.
            assert time.monotonic() - started < 4.7

        with_database(proxy.url, test, pool_timeout=2, statement_timeout=2)
