"""Announcements: a write in one process wakes up those who watch its user, in every process."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from storage.changes import NOTHING_WRITTEN
from storage.driver.messages import Outbox, parse
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from tests.support.faulty_proxy import faulty_proxy
from tests.support.pgbouncer import needs_pgbouncer, run_pgbouncer
from tests.support.sessions import Observer, until
from tests.support.watching import SETTLED_SECONDS, WRITE, Process, others, process, wait_for_next

LISTENING = "query LIKE 'LISTEN%'"
WRITES: dict[str, Callable[[Process, str], Any]] = {
    "single statement": Process.write,
    "transaction": Process.write_in_transaction,
}


@pytest.fixture
def url(unused: str) -> str:
    """Return the URL of the test's database."""
    return unused


@pytest.mark.parametrize("kind", WRITES)
def test_a_write_wakes_up_who_watches_in_the_same_process(url: str, kind: str) -> None:
    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            wait = await wait_for_next(watch, settled=SETTLED_SECONDS)
            await WRITES[kind](one, "ada")
            assert (await wait.head(within=0.5)).revision == 1

    asyncio.run(test())


@pytest.mark.parametrize("kind", WRITES)
def test_a_write_wakes_up_who_watches_in_another_process(url: str, kind: str) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other, one.watchers.watch("ada") as watch:
            head = NOTHING_WRITTEN
            for revision in range(1, 4):
                # The first write of a process is announced too, although it does not know yet that somebody watches.
                wait = await wait_for_next(watch, head, settled=SETTLED_SECONDS)
                await WRITES[kind](other, "ada")
                head = await wait.head(within=0.5)
                assert head.revision == revision

    asyncio.run(test())


def test_a_process_that_has_written_before_hears_that_somebody_begins_to_watch(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other:
            await one.write("grace")
            await other.write("grace")
            # Nobody has answered their questions.
            await asyncio.sleep(2.5)
            began = time.monotonic()
            async with one.watchers.watch("ada") as watch:
                # It has heard itself.
                assert time.monotonic() - began < 1
                wait = await wait_for_next(watch, settled=SETTLED_SECONDS)
                await other.write("ada")
                assert (await wait.head(within=0.5)).revision == 1

    asyncio.run(test())


def test_a_process_that_writes_for_the_first_time_hears_who_watches_already(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other, one.watchers.watch("ada") as watch:
            await other.write("grace")
            # Longer than it waits for an answer, but not long enough to hear it without having asked.
            await asyncio.sleep(2.5)
            wait = await wait_for_next(watch)
            await other.write("ada")
            assert (await wait.head(within=0.5)).revision == 1

    asyncio.run(test())


def test_a_message_has_as_many_users_as_fit_into_it() -> None:
    users = [f"{number}{name}" for number, name in enumerate(["ada", '"', "\\", "𝄞" * 250, "ü" * 255] * 20)]
    outbox, sent = Outbox(), []
    for user_id in [*users, *users]:
        outbox.add(user_id)
    while outbox:
        payload = outbox.take("a process", watches=True, asks=False).payload()
        assert len(payload.encode()) < 8000
        message = parse(payload)
        assert message is not None
        assert message.users
        sent += message.users
    assert sent == users


def test_many_writes_in_a_short_time_are_few_announcements(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other, one.watchers.watch("user 0") as watch:
            await other.write("user 0")
            await asyncio.sleep(SETTLED_SECONDS)
            with psycopg.connect(url, autocommit=True) as listener:
                listener.execute("LISTEN todo_api")
                users = [f"user {number} of a name that is long enough for several messages" for number in range(500)]
                began = time.monotonic()
                await asyncio.gather(*(other.write(user_id) for user_id in users))
                await asyncio.sleep(0.3)
                heard = [notify.payload for notify in listener.notifies(timeout=0.1)]
                assert {user_id for user_id in users if any(f'"{user_id}"' in one for one in heard)} == {*users}
                assert len(heard) <= 2 + (time.monotonic() - began) / 0.02
                assert max(map(len, heard)) < 8000
            assert watch

    asyncio.run(test())


def activity(observer: Observer) -> set[str]:
    """Return for each session when it last began or ended a statement other than the tests' write."""
    return set(
        observer.execute(
            "SELECT concat(pid, ' ', state_change, ' ', query) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND query NOT LIKE 'INSERT INTO accounts%'"
        )
    )


def test_while_nobody_watches_a_write_costs_no_query(url: str, observer: Observer) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other:
            for each in (one, other):
                await each.write("ada")
            # Both have asked who watches, and nobody has answered.
            await asyncio.sleep(2.5)
            before = activity(observer)
            for number in range(10):
                await one.write(f"user {number}")
                await other.write_in_transaction(f"user {number}")
            await asyncio.sleep(0.5)
            # What a transaction sends itself ends with its COMMIT.
            assert {said for said in activity(observer) - before if not said.endswith(" COMMIT")} == set()

    asyncio.run(test())


def test_what_is_rolled_back_wakes_up_nobody(url: str) -> None:
    async def fail(transaction: Transaction) -> None:
        await transaction.run((WRITE, {"user_id": "ada"}))
        raise ZeroDivisionError

    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            wait = asyncio.create_task(watch.next(NOTHING_WRITTEN, 1))
            with pytest.raises(ZeroDivisionError):
                await one.database.in_transaction("ada", fail)
            failing = Query(text("INSERT INTO accounts (user_id, revision) VALUES (:user_id, 1 / 0)"))
            with pytest.raises(psycopg.errors.DivisionByZero):
                await failing.fetch_all(one.database.pipeline, user_id="ada")
            assert await wait is None

    asyncio.run(test())


def test_a_write_counts_even_if_its_request_is_cancelled(url: str, observer: Observer) -> None:
    gated = Query(
        text(
            "INSERT INTO accounts (user_id, revision) "
            "SELECT :user_id, 1 FROM pg_advisory_xact_lock_shared(1) RETURNING revision"
        )
    )

    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            wait = await wait_for_next(watch, settled=SETTLED_SECONDS)
            with observer.gate():
                write = asyncio.create_task(gated.fetch_one(one.database.pipeline, user_id="ada"))
                await until(observer.waiting)
                write.cancel()
                await asyncio.sleep(0.05)
            assert (await wait.head(within=0.5)).revision == 1

    asyncio.run(test())


def test_what_is_missed_while_the_connection_is_cut_is_found_when_it_is_back(url: str, observer: Observer) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other, one.watchers.watch("ada") as watch:
            wait = await wait_for_next(watch, settled=SETTLED_SECONDS)
            (listener,) = observer.backends(LISTENING)
            observer.execute(f"SELECT pg_terminate_backend({listener})")
            await until(lambda: not one.works)
            observer.execute("INSERT INTO accounts (user_id, revision) VALUES ('ada', 1)")
            head = await wait.head(within=2)
            assert head.revision == 1
            await until(lambda: one.works)
            wait = await wait_for_next(watch, head)
            await other.write("ada")
            assert (await wait.head(within=0.5)).revision == 2

    asyncio.run(test())


def test_a_connection_that_has_gone_silent_is_replaced(url: str) -> None:
    async def test() -> None:
        with faulty_proxy(url) as proxy:
            async with process(proxy.url) as one, process(url) as other, one.watchers.watch("ada") as watch:
                wait = await wait_for_next(watch, settled=SETTLED_SECONDS)
                # The next bytes on each connection from the server arrive after the test: those to the listener.
                proxy.delay = 60
                await other.write("grace")
                await asyncio.sleep(0.2)
                proxy.delay = 0
                async with asyncio.timeout(9):
                    await until(lambda: not one.works)
                    await until(lambda: one.works)
                await other.write("ada")
                assert (await wait.head(within=0.5)).revision == 1

    asyncio.run(test())


def test_where_nobody_watches_a_connection_that_is_closed_stays_closed_until_the_next_write(
    url: str, observer: Observer
) -> None:
    async def test() -> None:
        async with process(url) as one:
            await one.write("ada")
            await until(lambda: one.works)
            (listener,) = observer.backends(LISTENING)
            observer.execute(f"SELECT pg_terminate_backend({listener})")
            await asyncio.sleep(2)
            assert not observer.backends(LISTENING)
            await one.write("ada")
            await until(lambda: one.works)
            assert observer.backends(LISTENING)

    asyncio.run(test())


@needs_pgbouncer
def test_behind_a_pooler_in_transaction_mode_changes_are_found_within_seconds(url: str) -> None:
    async def test(pooled: str) -> None:
        async with (
            process(pooled, prepared_statements=False) as one,
            process(pooled, prepared_statements=False) as other,
        ):
            async with asyncio.timeout(3), one.watchers.watch("grace"):
                assert not one.works
            async with one.watchers.watch("ada") as watch:
                head = NOTHING_WRITTEN
                for revision in range(1, 7):
                    await other.write("ada")
                    head = await watch.next(head, 1.5) or NOTHING_WRITTEN
                    assert head.revision == revision

    with run_pgbouncer(url) as pooled:
        asyncio.run(test(pooled))


def test_the_database_may_be_away_when_the_first_watch_begins(url: str) -> None:
    async def test() -> None:
        with faulty_proxy(url) as proxy:
            proxy.away = True
            async with process(proxy.url) as one, asyncio.timeout(12):
                async with asyncio.timeout(3), one.watchers.watch("ada") as watch:
                    assert not one.works
                async with one.watchers.watch("ada") as watch:
                    wait = await wait_for_next(watch)
                    proxy.away = False
                    await until(lambda: one.works)
                    await one.write("ada")
                    assert (await wait.head(within=3)).revision == 1

    asyncio.run(test())


def test_nothing_is_left_at_the_end(url: str, observer: Observer) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other, one.watchers.watch("ada") as watch:
            await other.write("ada")
            assert await watch.next(NOTHING_WRITTEN, 5)
            await one.write("grace")
        assert others() == set()
        await until(lambda: not observer.backends())

    asyncio.run(test())


@pytest.fixture
def noise(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection that announces what it likes."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    "payload", ["", "{", "[" * 7000, "[]", "null", '["x",true,true,1.5,[1]]', '["x",true,true,"1",[]]', "[1,2,3,4,5]"]
)
def test_what_is_no_message_is_ignored(url: str, noise: psycopg.Connection[Any], payload: str) -> None:
    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            noise.execute("SELECT pg_notify('todo_api', %s)", [payload])
            noise.execute("INSERT INTO accounts (user_id, revision) VALUES ('ada', 1)")
            noise.execute("SELECT pg_notify('todo_api', %s)", ['["x",true,false,1.5,["ada"]]'])
            assert await watch.next(NOTHING_WRITTEN, 0.5)
            assert one.works

    asyncio.run(test())
