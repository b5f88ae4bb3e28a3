"""One user holds at most half of the connections; further statements wait as long as the user makes progress."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

import pytest

from storage.driver.database import Database
from storage.errors import Busy, Unavailable
from tests.support.driver import fetch, until_held_up, with_database
from tests.support.postgres import new_database, postmaster, private_postgres
from tests.support.sessions import Observer, observe, until

AT_THE_GATE = "SELECT :user_id FROM pg_advisory_xact_lock_shared(1)"
# Few others in one line, and none behind one that may be slow.
SHORT = "SELECT :user_id FROM pg_sleep(0.004)"


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of an empty database."""
    return new_database(postgres)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let statements wait for progress as long as for a connection, so that a busy machine does not matter."""
    monkeypatch.setattr("storage.driver.shares._STUCK_SECONDS", 60)


def send(opened: Database, sql: str, user: str) -> asyncio.Task[Any]:
    """Start a statement of a user."""
    return asyncio.create_task(fetch(opened.pipeline, sql, user_id=user))


def slow(opened: Database, user: str) -> asyncio.Task[Any]:
    """Start a statement of a user that waits as long as the gate is closed."""
    return send(opened, AT_THE_GATE, user)


async def occupied(opened: Database, observer: Observer, user: str, number: int) -> list[asyncio.Task[Any]]:
    """Have a user's slow statements occupy this many connections more, and return them."""
    tasks = []
    already = len(observer.waiting())
    for _ in range(number):
        tasks.append(slow(opened, user))
        await until(lambda: len(observer.waiting()) == already + len(tasks))
        await until_held_up(opened)
    return tasks


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("connections", "share"), [(2, 1), (3, 1), (4, 2), (10, 5)])
def test_one_users_slow_statements_hold_half_of_the_connections(
    url: str, observer: Observer, connections: int, share: int
) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", share)
            more = [slow(opened, "ada") for _ in range(20)]
            for _ in range(20):
                assert await send(opened, "SELECT :user_id", "grace") == [("grace",)]
                await asyncio.sleep(0.01)
            assert len(observer.waiting()) == share
            assert not any(one.done() for one in more)
        assert await asyncio.gather(*held, *more) == [[("ada",)]] * (share + 20)

    with_database(url, test, connections=connections, pool_timeout=60)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("connections", [4, 10])
def test_statements_behind_those_of_others_count_as_well(url: str, observer: Observer, connections: int) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            await asyncio.gather(*await occupied_by_many(opened, observer, connections))
        with observer.gate():
            # Each of Ada's statements is sent behind a short one of another user.
            short = [send(opened, SHORT, f"user-{number}") for number in range(connections)]
            await asyncio.sleep(0)
            held = [slow(opened, "ada") for _ in range(connections)]
            await asyncio.gather(*short)
            await until(observer.waiting)
            for _ in range(20):
                assert await send(opened, "SELECT :user_id", "grace") == [("grace",)]
                assert len(observer.waiting()) <= connections // 2
                await asyncio.sleep(0.01)
        assert await asyncio.gather(*held) == [[("ada",)]] * connections

    async def occupied_by_many(opened: Database, observer: Observer, number: int) -> list[asyncio.Task[Any]]:
        tasks = []
        for one in range(number):
            tasks += await occupied(opened, observer, f"user-{one}", 1)
        observer.execute("SELECT pg_advisory_unlock(1)")
        return tasks

    with_database(url, test, connections=connections, pool_timeout=60)


@pytest.mark.usefixtures("patient")
def test_two_users_share_the_connections(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 2)
            late = [slow(opened, "ada") for _ in range(3)]
            held += await occupied(opened, observer, "grace", 2)
            assert len(observer.waiting()) == 4
        await asyncio.gather(*held, *late)

    with_database(url, test, connections=4, pool_timeout=60)


def test_further_statements_fail_after_a_second_without_progress(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 1)
            more = [slow(opened, "ada"), send(opened, "SELECT 1", "ada")]
            for outcome in await asyncio.gather(*more, return_exceptions=True):
                assert isinstance(outcome, Busy)
                assert str(outcome) == "the same user's other statements did not end"
            assert not held[0].done()
        assert await held[0] == [("ada",)]
        assert await send(opened, "SELECT :user_id", "ada") == [("ada",)]

    with_database(url, test, connections=2, pool_timeout=60, statement_timeout=60)


@pytest.mark.parametrize("connections", [2, 10])
def test_statements_that_have_failed_do_not_hold_back_later_ones(
    url: str, observer: Observer, connections: int
) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", connections // 2)
            failed = await asyncio.gather(*(slow(opened, "ada") for _ in range(300)), return_exceptions=True)
            assert {type(one) for one in failed} == {Busy}
            assert opened.load() == (connections // 2, 0)
            later = [slow(opened, "ada") for _ in range(20)]
            await asyncio.sleep(0)
            assert opened.load() == (connections // 2, 20)
        assert await asyncio.gather(*held, *later) == [[("ada",)]] * (connections // 2 + 20)

    with_database(url, test, connections=connections, pool_timeout=60, statement_timeout=60)


def test_further_statements_wait_while_there_is_progress(url: str) -> None:
    async def test(opened: Database) -> None:
        # Each takes less than the second without progress, and all together take several.
        sleeps = [send(opened, "SELECT :user_id FROM pg_sleep(0.4)", "ada") for _ in range(8)]
        assert await asyncio.gather(*sleeps) == [[("ada",)]] * 8

    with_database(url, test, connections=2, pool_timeout=60)


def test_a_user_who_has_a_share_again_comes_before_those_who_came_later(
    url: str, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.driver.pipeline._SLOW_SECONDS", 60)

    async def test(opened: Database) -> None:
        with observer.gate():
            # Once it has held up another statement, nothing is sent behind this query.
            known = [slow(opened, "ada"), send(opened, "SELECT :user_id", "ada")]
            await until(observer.waiting)
            await asyncio.sleep(0.05)
        await asyncio.gather(*known)
        with observer.gate():
            held = await occupied(opened, observer, "grace", 2)
            held += await occupied(opened, observer, "ada", 1)
            ends = send(opened, "SELECT :user_id FROM pg_sleep(0.5)", "ada")
            await until(lambda: observer.backends("wait_event = 'PgSleep'"))
            await until_held_up(opened)
            further = send(opened, "SELECT :user_id", "ada")
            await asyncio.sleep(0.01)
            held.append(slow(opened, "bob"))
            assert (await ends, await further) == ([("ada",)], [("ada",)])
            await until(lambda: len(observer.waiting()) == 4)
        await asyncio.gather(*held)

    with_database(url, test, connections=4, pool_timeout=60, statement_timeout=60)


def test_nothing_fails_for_its_share_while_the_database_responds_to_nobody() -> None:
    async def test(opened: Database) -> None:
        await send(opened, "SELECT :user_id", "ada")
        processes = [postmaster(url), *observer.backends()]
        try:
            # The session that found the first one may still be ending.
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
            reads = []
            for _ in range(10):
                reads.append(send(opened, "SELECT :user_id", "ada"))
                await asyncio.sleep(0.2)
            assert len(opened.pipeline._shares)
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)
        assert await asyncio.gather(*reads) == [[("ada",)]] * 10

    with private_postgres() as url, observe(url) as observer:
        with_database(url, test, connections=2, pool_timeout=60)


def test_nothing_waits_for_its_share_longer_than_for_a_connection(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 1)
            with pytest.raises(Unavailable, match=r"no connection became free within 0\.5 s"):
                await slow(opened, "ada")
        assert await held[0] == [("ada",)]

    with_database(url, test, connections=2, pool_timeout=0.5)


@pytest.mark.parametrize("connections", [1, 2])
def test_only_what_shares_the_connections_with_others_is_held_back(
    url: str, observer: Observer, connections: int
) -> None:
    async def test(opened: Database) -> None:
        user = "ada" if connections == 1 else None
        with observer.gate():
            tasks = []
            for _ in range(connections):
                work = fetch(opened.pipeline, "SELECT 1 FROM pg_advisory_xact_lock_shared(1)", user_id=user)
                tasks.append(asyncio.create_task(work))
                await until(lambda: len(observer.waiting()) == len(tasks))
                await until_held_up(opened)
            late = asyncio.create_task(fetch(opened.pipeline, "SELECT 1", user_id=user))
            with pytest.raises(Unavailable, match="no connection became free"):
                await late
        assert await asyncio.gather(*tasks) == [[(1,)]] * connections

    with_database(url, test, connections=connections, pool_timeout=1.5)


def test_a_client_that_goes_away_gives_up_its_place_but_not_what_it_occupies(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 2)
            for one in (*held, slow(opened, "ada")):
                one.cancel()
            await asyncio.sleep(0.2)
            late = slow(opened, "ada")
            await asyncio.sleep(0.2)
            assert len(observer.waiting()) == 2
        assert await late == [("ada",)]
        await until(lambda: not any(one.owners for one in opened.pipeline._connections))

    with_database(url, test, connections=4, pool_timeout=60)


def test_closing_the_database_ends_what_is_held_back(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            held = await occupied(opened, observer, "ada", 1)
            more = [slow(opened, "ada") for _ in range(3)]
            await asyncio.sleep(0)
            await opened.close()
            outcomes = await asyncio.gather(*held, *more, return_exceptions=True)
        assert [type(one) for one in outcomes] == [Unavailable] * 4

    with_database(url, test, connections=2)
