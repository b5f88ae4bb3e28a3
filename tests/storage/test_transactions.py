"""Transactions of a user: each has its whole effect or none, and a user has one at a time."""

import asyncio
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Call, Transaction
from storage.errors import Busy, NotFound, Unavailable
from tests.support.driver import fetch, with_database
from tests.support.faulty_proxy import faulty_proxy
from tests.support.postgres import private_postgres
from tests.support.sessions import observe, until


def call(sql: str, **parameters: object) -> Call:
    """Return a statement with its parameters."""
    return Query(text(sql)), parameters


INSERT = call("INSERT INTO numbers VALUES (1)")
NUMBERS = "SELECT number FROM numbers ORDER BY 1"
SLEEP = call("SELECT pg_sleep(5)")
# More than the system buffers: the rest is not sent before the server has executed the statements before it.
LARGE = call("SELECT :text ::text", text="x" * 20_000_000)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Yield the URL of a database with an empty table `numbers`."""
    with private_postgres() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE numbers (number integer)")
            connection.execute("CREATE TABLE unique_numbers (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        yield url


@pytest.fixture(autouse=True)
def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE numbers, unique_numbers")


def test_a_group_returns_the_rows_of_each_statement(url: str) -> None:
    async def work(transaction: Transaction) -> object:
        first = await transaction.run(call("SELECT 1, 'a'"), INSERT, call("SELECT :n ::int", n=2))
        last = await transaction.commit(call(NUMBERS))
        return first, last

    async def test(opened: Database) -> None:
        assert await opened.in_transaction("ada", work) == ([[(1, "a")], (), [(2,)]], [[(1,)]])

    with_database(url, test)


def test_a_group_may_be_large_in_both_directions(url: str) -> None:
    """Neither side waits for the other to read first."""
    large = "x" * 2_000_000

    async def work(transaction: Transaction) -> object:
        return await transaction.commit(*[call("SELECT :text ::text", text=large)] * 5)

    async def test(opened: Database) -> None:
        assert await opened.in_transaction("ada", work) == [[(large,)]] * 5

    with_database(url, test)


def test_the_first_error_of_a_group_is_raised_and_the_connection_stays_in_use(url: str) -> None:
    pid = call("SELECT pg_backend_pid()")

    async def fail(transaction: Transaction) -> None:
        await transaction.commit(INSERT, pid, call("SELECT 1 / 0"), call("SELECT * FROM nothing"))

    async def test(opened: Database) -> None:
        before = await opened.in_transaction("ada", lambda transaction: transaction.commit(pid))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await opened.in_transaction("ada", fail)
        assert await opened.in_transaction("ada", lambda transaction: transaction.commit(pid)) == before
        assert not await fetch(opened.pipeline, NUMBERS)

    with_database(url, test)


def test_a_connection_whose_replies_do_not_come_is_closed_without_another_statement(url: str) -> None:
    async def test(opened: Database) -> None:
        await opened.in_transaction("ada", lambda transaction: transaction.commit())
        proxy.silent = True
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await opened.in_transaction("ada", lambda transaction: transaction.commit(INSERT))
        # A second for the statement, and a second for its cancellation.
        assert time.monotonic() - began < 3.5
        proxy.silent = False
        await until(lambda: opened.load() == (0, 0))
        assert await opened.in_transaction("ada", lambda transaction: transaction.commit(call("SELECT 1"))) == [[(1,)]]

    with faulty_proxy(url) as proxy:
        with_database(proxy.url, test, statement_timeout=1)


@pytest.mark.parametrize("raises", [False, True])
def test_without_a_commit_nothing_remains(url: str, caplog: pytest.LogCaptureFixture, raises: bool) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.run(INSERT)
        if raises:
            raise NotFound("task")

    async def test(opened: Database) -> None:
        if raises:
            with pytest.raises(NotFound):
                await opened.in_transaction("ada", work)
        else:
            await opened.in_transaction("ada", work)
        assert not await fetch(opened.pipeline, NUMBERS)
        assert opened.load() == (0, 0)

    with_database(url, test)
    # The pool would warn that it rolls back what it is given back.
    assert not caplog.records


def test_a_transaction_whose_connection_breaks_before_the_commit_is_repeated(url: str) -> None:
    attempts = []

    async def work(transaction: Transaction) -> None:
        ((pid,),) = (await transaction.run(INSERT, call("SELECT pg_backend_pid()")))[1]
        attempts.append(pid)
        if len(attempts) == 1:
            with observe(url) as observer:
                observer.execute(f"SELECT pg_terminate_backend({pid})")
        await transaction.run(INSERT)
        await transaction.commit()

    async def test(opened: Database) -> None:
        await opened.in_transaction("ada", work)
        assert len(set(attempts)) == 2
        assert await fetch(opened.pipeline, NUMBERS) == [(1,), (1,)]

    with_database(url, test)


def test_a_transaction_whose_connection_breaks_during_the_commit_is_not_repeated(url: str) -> None:
    attempts = []

    async def work(transaction: Transaction) -> None:
        attempts.append(1)
        await transaction.run(INSERT)
        await transaction.commit(call("SELECT pg_terminate_backend(pg_backend_pid())"))

    async def test(opened: Database) -> None:
        with pytest.raises(Unavailable):
            await opened.in_transaction("ada", work)
        assert len(attempts) == 1

    with_database(url, test)


def test_a_conflict_is_repeated_once(url: str) -> None:
    attempts = []
    insert = call("INSERT INTO unique_numbers VALUES (1)")

    async def once(transaction: Transaction) -> None:
        attempts.append(1)
        await transaction.commit(insert, *[insert] * (len(attempts) == 1))

    async def always(transaction: Transaction) -> None:
        attempts.append(1)
        await transaction.commit(insert)

    async def test(opened: Database) -> None:
        await opened.in_transaction("ada", once)
        assert len(attempts) == 2
        with pytest.raises(Unavailable):
            await opened.in_transaction("ada", always)
        assert len(attempts) == 4
        assert await fetch(opened.pipeline, "SELECT number FROM unique_numbers") == [(1,)]

    with_database(url, test)


@pytest.mark.parametrize("behind", [[], [LARGE]], ids=["sent", "still being sent"])
def test_a_statement_that_takes_too_long_ends_the_transaction(url: str, behind: list[Call]) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.run(INSERT)
        await transaction.commit(SLEEP, *behind)

    async def test(opened: Database) -> None:
        with pytest.raises(Unavailable):
            await opened.in_transaction("ada", work)
        assert not await fetch(opened.pipeline, NUMBERS)
        assert opened.load() == (0, 0)

    with_database(url, test, statement_timeout=0.3)


@pytest.mark.parametrize("behind", [[], [LARGE]], ids=["sent", "still being sent"])
def test_a_cancelled_transaction_has_no_effect(url: str, behind: list[Call]) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.run(INSERT)
        await transaction.run(SLEEP, *behind)
        await transaction.commit()

    async def test(opened: Database) -> None:
        running = asyncio.create_task(opened.in_transaction("ada", work))
        with observe(url) as observer:
            await until(lambda: observer.backends("query LIKE '%pg_sleep%'"))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not await fetch(opened.pipeline, NUMBERS)
        assert opened.load() == (0, 0)

    with_database(url, test)


def test_a_user_has_one_transaction_at_a_time(url: str) -> None:
    async def test(opened: Database) -> None:
        running = {"ada": 0, "bob": 0}
        most = dict(running)

        async def occupy(user_id: str) -> None:
            async def work(transaction: Transaction) -> None:
                running[user_id] += 1
                most[user_id] = max(most[user_id], running[user_id])
                await transaction.run(call("SELECT pg_sleep(0.1)"))
                running[user_id] -= 1

            await opened.in_transaction(user_id, work)

        await asyncio.gather(*(occupy(user_id) for user_id in ["ada", "ada", "ada", "bob"]))
        assert most == {"ada": 1, "bob": 1}

    with_database(url, test, connections=4)


def test_who_waits_for_longer_than_the_pool_timeout_is_refused_and_others_are_not(url: str) -> None:
    async def test(opened: Database) -> None:
        end = asyncio.Event()

        async def stay(_: Transaction) -> None:
            await end.wait()

        async def work(transaction: Transaction) -> object:
            return await transaction.commit(call("SELECT 1"))

        staying = asyncio.create_task(opened.in_transaction("ada", stay))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await opened.in_transaction("ada", work)
        assert await opened.in_transaction("bob", work) == [[(1,)]]
        end.set()
        await staying
        assert await opened.in_transaction("ada", work) == [[(1,)]]

    with_database(url, test, connections=3, pool_timeout=0.5)
