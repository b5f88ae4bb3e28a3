"""One user holds at most half of the connections; what is more waits while the user's statements make progress."""

import asyncio
from typing import Any

import pytest

from storage.driver.database import Database
from storage.errors import Unavailable
from tests.support.driver import fetch, until_held_up, with_database
from tests.support.postgres import new_database
from tests.support.sessions import Observer, until

STUCK = "the same user's other statements did not end"
AT_THE_GATE = "SELECT :user_id FROM pg_advisory_xact_lock_shared(1)"


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of an empty database."""
    return new_database(postgres)


def slow(opened: Database, user: str) -> asyncio.Task[Any]:
    """Start a statement of a user that waits as long as the gate is closed."""
    return asyncio.create_task(fetch(opened.pipeline, AT_THE_GATE, user_id=user))


async def occupied(opened: Database, observer: Observer, user: str, number: int) -> list[asyncio.Task[Any]]:
    """Have a user's slow statements occupy this many connections more, and return them."""
    tasks = []
    already = len(observer.waiting())
    for _ in range(number):
        tasks.append(slow(opened, user))
        await until(lambda: len(observer.waiting()) == already + len(tasks))
        await until_held_up(opened)
    return tasks


@pytest.mark.parametrize(("connections", "share"), [(1, 1), (2, 1), (3, 2), (4, 2), (10, 5)])
def test_one_users_slow_statements_hold_half_of_the_connections(
    url: str, observer: Observer, connections: int, share: int
) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", share)
            more = [slow(opened, "ada") for _ in range(20)]
            for _ in range(20 if share < connections else 0):
                assert await fetch(opened.pipeline, "SELECT :user_id", user_id="grace") == [("grace",)]
                await asyncio.sleep(0.01)
            assert len(observer.waiting()) == share
            assert not any(one.done() for one in more)
        assert await asyncio.gather(*held, *more) == [[("ada",)]] * (share + 20)

    with_database(url, test, connections=connections)


def test_two_users_share_the_connections(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 2)
            late = [slow(opened, "ada") for _ in range(3)]
            held += await occupied(opened, observer, "grace", 2)
            assert len(observer.waiting()) == 4
        await asyncio.gather(*held, *late)

    with_database(url, test, connections=4)


def test_what_is_more_than_the_share_fails_after_a_second_without_progress(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 1)
            more = [slow(opened, "ada"), asyncio.create_task(fetch(opened.pipeline, "SELECT 1", user_id="ada"))]
            for outcome in await asyncio.gather(*more, return_exceptions=True):
                assert isinstance(outcome, Unavailable)
                assert str(outcome) == STUCK
            assert not held[0].done()
        assert await held[0] == [("ada",)]
        assert await fetch(opened.pipeline, "SELECT :user_id", user_id="ada") == [("ada",)]

    with_database(url, test, connections=2)


def test_what_is_more_than_the_share_waits_while_there_is_progress(url: str) -> None:
    async def test(opened: Database) -> None:
        # Each takes less than the second without progress, and all together take several.
        sleeps = [fetch(opened.pipeline, "SELECT 1 FROM pg_sleep(0.4)", user_id="ada") for _ in range(8)]
        assert await asyncio.gather(*sleeps) == [[(1,)]] * 8

    with_database(url, test, connections=2, pool_timeout=30)


def test_nothing_waits_for_its_share_longer_than_for_a_connection(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 1)
            with pytest.raises(Unavailable, match=r"no connection became free within 0\.5 s"):
                await slow(opened, "ada")
        assert await held[0] == [("ada",)]

    with_database(url, test, connections=2, pool_timeout=0.5)


def test_statements_without_a_user_have_no_share(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            tasks = []
            for _ in range(2):
                job = fetch(opened.pipeline, "SELECT 1 FROM pg_advisory_xact_lock_shared(1)")
                tasks.append(asyncio.create_task(job))
                await until(lambda: len(observer.waiting()) == len(tasks))
                await until_held_up(opened)
        assert await asyncio.gather(*tasks) == [[(1,)]] * 2

    with_database(url, test, connections=2)


def test_closing_the_database_ends_what_waits_for_its_share(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 1)
            more = [slow(opened, "ada") for _ in range(3)]
            await asyncio.sleep(0)
            await opened.close()
            outcomes = await asyncio.gather(*held, *more, return_exceptions=True)
        assert [type(one) for one in outcomes] == [Unavailable] * 4

    with_database(url, test, connections=2)
