"""Connections that break with statements in flight: reads are repeated once, writes fail, and nothing is doubled."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Query, Row
from storage.errors import Unavailable
from tests.support.client import User
from tests.support.driver import fetch, with_database
from tests.support.faulty_proxy import faulty_proxy
from tests.support.postgres import database_with, private_postgres, wait_for_locks
from tests.support.server import serve
from tests.support.sessions import Observer, until

# It has no key, so that it would show a row that was written twice.
ENTRIES = "CREATE TABLE entries (number integer NOT NULL)"
READ = "SELECT CAST(:number AS integer) FROM pg_advisory_xact_lock_shared(1)"
WRITE = "INSERT INTO entries SELECT :number FROM pg_advisory_xact_lock_shared(1) RETURNING number"


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database with a table of entries."""
    return database_with(postgres, ENTRIES)


def terminate(observer: Observer) -> set[int]:
    """End the sessions that wait for a lock, and return their process ids."""
    waiting = observer.waiting()
    for backend in waiting:
        observer.execute(f"SELECT pg_terminate_backend({backend})")
    return waiting


def send(opened: Database) -> list[asyncio.Task[Sequence[Row]]]:
    """Send ten statements of one user, of which every second one is a write. Each waits while the gate is closed."""
    return [
        asyncio.create_task(fetch(opened.pipeline, (WRITE, READ)[number % 2], user_id="ada", number=number))
        for number in range(10)
    ]


def acknowledged(outcomes: Sequence[object]) -> list[int]:
    """Check the outcomes of these statements when the first was in flight; return the numbers of successful writes."""
    assert isinstance(outcomes[0], Unavailable)
    for number, outcome in enumerate(outcomes):
        # A write that had not been sent yet has succeeded on another connection.
        assert outcome == [(number,)] or (number % 2 == 0 and isinstance(outcome, Unavailable))
    return [number for number in range(0, 10, 2) if outcomes[number] == [(number,)]]


def test_a_session_that_ends_fails_the_writes_in_flight_and_no_read(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            sent = send(opened)
            await until(observer.waiting)
            terminate(observer)
            await until(sent[0].done)
        written = acknowledged(await asyncio.gather(*sent, return_exceptions=True))
        assert sorted(observer.execute("SELECT number FROM entries")) == written

    with_database(url, test)


def test_a_connection_that_is_reset_fails_the_writes_in_flight_and_no_read(url: str, observer: Observer) -> None:
    with faulty_proxy(url) as proxy:

        async def test(opened: Database) -> None:
            with observer.gate():
                sent = send(opened)
                await until(observer.waiting)
                proxy.reset(after=b"")
                await until(sent[0].done)
            written = acknowledged(await asyncio.gather(*sent, return_exceptions=True))
            await until(lambda: not observer.backends("state = 'active'"))
            stored = observer.execute("SELECT number FROM entries")
            # The server may have gone on with the writes that have failed: their outcome is unknown.
            assert set(written) <= set(stored)
            assert len(stored) == len(set(stored))

        with_database(proxy.url, test)


def test_a_server_that_restarts_after_a_crash_fails_the_writes_in_flight_and_no_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On a busy machine, the server may take longer than a second.
    monkeypatch.setattr("storage.driver.pool._AWAY_SECONDS", 20)
    with private_postgres() as url:
        holder = psycopg.connect(url, autocommit=True)
        holder.execute(ENTRIES)

        async def test(opened: Database) -> None:
            observer = Observer(holder)
            observer.execute("SELECT pg_advisory_lock(1)")
            sent = send(opened)
            await until(observer.waiting)
            for backend in observer.waiting():
                os.kill(backend, signal.SIGKILL)
            written = acknowledged(await asyncio.gather(*sent, return_exceptions=True))
            stored = await fetch(opened.pipeline, "SELECT number FROM entries ORDER BY number")
            assert [number for (number,) in stored] == written

        with_database(url, test, pool_timeout=20)
        holder.close()


def test_a_read_is_repeated_only_once(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        ended: set[int] = set()
        with observer.gate():
            read = asyncio.create_task(fetch(opened.pipeline, READ, user_id="ada", number=1))
            for _ in range(2):
                await until(lambda: observer.waiting() - ended)
                ended.update(terminate(observer))
            with pytest.raises(Unavailable):
                async with asyncio.timeout(10):
                    await read

    with_database(url, test)


def test_a_read_that_was_repeated_because_it_held_up_others_is_repeated_if_its_connection_breaks(
    url: str, observer: Observer
) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            await fetch(opened.pipeline, "SELECT 1", user_id="ada")
            slow = asyncio.create_task(fetch(opened.pipeline, READ, user_id="ada", number=1))
            behind = asyncio.create_task(fetch(opened.pipeline, "SELECT 1", user_id="grace"))
            await asyncio.sleep(0)
            assert [len(one.in_flight) for one in opened.pipeline._connections] == [2]
            # The read was cancelled for the other one's sake, and waits on a connection of its own.
            assert await behind == [(1,)]
            await until(observer.waiting)
            terminate(observer)
            await until(observer.waiting)
        assert await slow == [(1,)]

    with_database(url, test, connections=3)


def test_a_lost_connection_replaces_all_others(url: str, observer: Observer) -> None:
    async def test(opened: Database) -> None:
        with observer.gate():
            reads = [fetch(opened.pipeline, READ, user_id=f"user-{number}", number=number) for number in range(3)]
            done = asyncio.gather(*reads)
            await until(lambda: len(observer.waiting()) == 3)
        await done
        before = observer.backends()
        with observer.gate():
            read = asyncio.create_task(fetch(opened.pipeline, READ, user_id="ada", number=1))
            await until(observer.waiting)
            terminate(observer)
            await until(lambda: not before & observer.backends())
        assert await read == [(1,)]

    with_database(url, test, connections=3)


def test_clients_see_503_for_a_write_and_nothing_for_a_read(url: str, tmp_path: Path) -> None:
    with (
        faulty_proxy(url) as proxy,
        serve(tmp_path, DATABASE_URL=proxy.url) as server,
        User(server, "ada") as ada,
        User(server, "grace") as grace,
        ThreadPoolExecutor() as threads,
    ):
        grace.create("kept")
        with psycopg.connect(url) as holder:
            holder.execute("LOCK TABLE tasks")
            write = threads.submit(ada.request, "POST", "/tasks", json={"title": "lost?"})
            # Sent right behind the write, the read would be sent twice already before the connection breaks.
            wait_for_locks(url, 1, or_more=True)
            time.sleep(0.1)
            read = threads.submit(grace.titles)
            wait_for_locks(url, 2, or_more=True)
            proxy.reset(after=b"")
            response = write.result()
        assert response.status_code == 503
        assert response.json()["detail"] == "The database is not responding."
        assert read.result() == ["kept"]
        assert ada.titles() in ([], ["lost?"])


@pytest.mark.parametrize("kind", ["single statement", "transaction"])
def test_a_connection_that_the_server_ends_by_its_own_limit_is_lost(url: str, observer: Observer, kind: str) -> None:
    """PostgreSQL reports its `transaction_timeout` as an internal error, which ends the connection."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET transaction_timeout = 300'.encode())

    async def write(opened: Database) -> None:
        if kind == "transaction":
            query = Query(text(WRITE.replace(":number", "1")))
            await opened.in_transaction("ada", lambda transaction: transaction.run((query, {})))
        else:
            await fetch(opened.pipeline, WRITE, number=1, user_id="ada")

    async def test(opened: Database) -> None:
        with observer.gate(), pytest.raises(Unavailable, match="transaction timeout"):
            await write(opened)
        assert not await fetch(opened.pipeline, "SELECT number FROM entries")

    with_database(url, test)
