"""Database connections: the queue for them, cancelled waits, lost and silent connections, and the memory they keep."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from storage.driver.database import Database
from storage.driver.transaction import Transaction
from storage.errors import Unavailable
from tests.support.client import User
from tests.support.driver import fetch, held, with_database
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.postgres import end_sessions, postmaster, private_postgres, wait_for_locks
from tests.support.server import Service, start


@contextmanager
def behind_proxy(directory: Path, **settings: str) -> Iterator[tuple[str, FaultyProxy, Service]]:
    """Run the service with a proxy in front of its database; yield the database's URL, the proxy and the service."""
    with (
        private_postgres() as url,
        faulty_proxy(url) as proxy,
        start(directory, DATABASE_URL=proxy.url, **settings) as service,
    ):
        yield url, proxy, service


def test_the_pool_lends_connections_first_come_first_served(database: str) -> None:
    async def test(opened: Database) -> None:
        order = []

        async def ask(number: int) -> None:
            await fetch(opened.pipeline, "SELECT 1")
            order.append(number)

        await asyncio.gather(*map(ask, range(50)))
        assert order == list(range(50))
        assert opened.load() == (0, 0)

    with_database(database, test)


@pytest.mark.parametrize("breaks", [False, True], ids=["open", "closed"])
def test_a_connection_for_a_cancelled_waiter_goes_to_the_next_one(database: str, breaks: bool) -> None:
    async def test(opened: Database) -> None:
        async def work(_: Transaction) -> None:
            pass

        async with held(opened) as transaction:
            gone = asyncio.create_task(opened.in_transaction("gone", work))
            following = asyncio.create_task(fetch(opened.pipeline, "SELECT 1"))
            await asyncio.sleep(0)
            assert opened.load() == (1, 2)
            gone.cancel()
            if breaks:
                transaction.connection.pgconn.finish()
        assert await following == [(1,)]
        assert gone.cancelled()
        assert opened.load() == (0, 0)

    with_database(database, test)


def test_queueing_and_connecting_share_one_timeout() -> None:
    with private_postgres() as url:

        async def test(opened: Database) -> None:
            started = time.monotonic()
            async with held(opened) as transaction:
                waiting = asyncio.create_task(fetch(opened.pipeline, "SELECT 1"))
                await asyncio.sleep(1.5)
                os.kill(postmaster(url), signal.SIGINT)
                await asyncio.sleep(0.2)
                await transaction.connection.close()
            with pytest.raises(Unavailable):
                await waiting
            assert time.monotonic() - started < 3

        with_database(url, test, pool_timeout=2)


def test_statements_succeed_again_soon_after_the_database_is_back() -> None:
    with private_postgres() as url, faulty_proxy(url) as proxy:

        async def test(opened: Database) -> None:
            await fetch(opened.pipeline, "SELECT 1")
            proxy.away = True
            proxy.reset(after=b"")
            with pytest.raises(Unavailable, match="the database is away"):
                await fetch(opened.pipeline, "SELECT 1")
            with pytest.raises(Unavailable, match="the database is away"):
                async with held(opened):
                    pass
            # By itself, psycopg's pool would pause for longer and longer between its attempts to connect.
            await asyncio.sleep(3)
            proxy.away = False
            async with asyncio.timeout(3):
                while True:
                    with suppress(Unavailable):
                        assert await fetch(opened.pipeline, "SELECT 1") == [(1,)]
                        break

        with_database(proxy.url, test, pool_timeout=30)


def test_prepared_statements_of_different_connections_have_different_names(database: str) -> None:
    async def names(opened: Database) -> set[str]:
        for _ in range(7):
            await fetch(opened.pipeline, "SELECT :value", prepare=True, value="a value")
        return {name for (name,) in await fetch(opened.pipeline, "SELECT name FROM pg_prepared_statements")}

    async def test(opened: Database) -> None:
        first = await names(opened)
        with pytest.raises(Unavailable):
            await fetch(opened.pipeline, "SELECT pg_terminate_backend(pg_backend_pid())")
        second = await names(opened)
        assert first
        assert second
        assert not first & second

    with_database(database, test)


def test_a_silent_database_does_not_keep_the_service_from_stopping(tmp_path: Path) -> None:
    settings = {"DATABASE_STATEMENT_TIMEOUT": "20", "DATABASE_POOL_TIMEOUT": "30", "DATABASE_POOL_MAX_SIZE": "2"}
    with (
        behind_proxy(tmp_path, **settings) as (_, proxy, service),
        User(service.url, "ada") as ada,
        ThreadPoolExecutor() as threads,
    ):
        ada.create("kept")
        proxy.silent = True
        asked = [threads.submit(ada.get, "/tasks", timeout=30) for _ in range(6)]
        time.sleep(0.5)
        started = time.monotonic()
        service.stop()
        # Docker kills a container after 10 seconds.
        assert time.monotonic() - started < 10
        assert [one.result().status_code for one in asked] == [503] * 6


def test_requests_return_503_only_while_the_database_stays_silent_after_login(tmp_path: Path) -> None:
    settings = {"DATABASE_STATEMENT_TIMEOUT": "1", "DATABASE_POOL_TIMEOUT": "2", "DATABASE_POOL_MAX_SIZE": "2"}
    with (
        behind_proxy(tmp_path, **settings) as (url, proxy, service),
        User(service.url, "ada") as ada,
    ):
        ada.create("kept")
        proxy.silent = True
        end_sessions(url)
        assert ada.get("/tasks").status_code == 503
        assert httpx.get(f"{service.url}/health", timeout=5).status_code == 503
        assert proxy.swallowed
        proxy.silent = False
        deadline = time.monotonic() + 10
        # The check and the requests have connections of their own.
        while {httpx.get(f"{service.url}/health", timeout=5).status_code, ada.get("/tasks").status_code} != {200}:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert ada.titles() == ["kept"]


def test_a_request_whose_connection_is_reset_fails_at_once(tmp_path: Path) -> None:
    with (
        behind_proxy(tmp_path) as (url, proxy, service),
        User(service.url, "ada") as ada,
        ThreadPoolExecutor() as threads,
        psycopg.connect(url) as holder,
    ):
        ada.create("kept")
        holder.execute("SELECT * FROM accounts FOR UPDATE")
        waiting = threads.submit(ada.request, "POST", "/tasks", json={"title": "A task"})
        wait_for_locks(url, 1)
        # The service sees the data and the reset together, and uvloop does not report the reset a second time.
        os.kill(service.process.pid, signal.SIGSTOP)
        proxy.reset(after=b"N")
        os.kill(service.process.pid, signal.SIGCONT)
        assert waiting.result(timeout=2).status_code == 503
        assert "kept" in ada.titles()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's memory from Linux's /proc")
def test_no_page_stays_in_memory_after_it_is_sent(tmp_path: Path, database: str) -> None:
    with (
        start(tmp_path, DATABASE_URL=database, DATABASE_POOL_MAX_SIZE="1") as service,
        User(service.url, "voluminous") as ada,
    ):

        def resident() -> int:
            status = Path(f"/proc/{service.process.pid}/status").read_text()
            return int(status.partition("VmRSS:")[2].split()[0]) * 1024

        for number in range(50):
            ada.create(f"task {number}", description="𝄞" * 10_000)
        page = 50 * 10_000 * 4
        orders = [(by, order) for by in ("updated_at", "title", "priority", "due_date") for order in ("asc", "desc")]
        ada.get("/tasks", params={"sort_by": "created_at"})
        before = resident()
        for by, order in orders:
            ada.get("/tasks", params={"sort_by": by, "sort_direction": order})
        assert resident() - before < len(orders) * page / 4
