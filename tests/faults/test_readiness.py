"""A service that can serve requests says that it is ready, even if its database is slow or used up by others."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.faulty_proxy import faulty_proxy
from tests.support.jobs import wait_for_jobs
from tests.support.postgres import new_database, private_postgres
from tests.support.server import serve
from tests.support.sessions import observe

END_CHECKS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE '%alembic_version' AND pid <> pg_backend_pid()
"""

SLOW_WRITES = """
    CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END';
    CREATE TRIGGER pause BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION pause();
"""


def readiness(server: str) -> int:
    """Return the status of `/health/ready`."""
    return httpx.get(f"{server}/health/ready", timeout=30).status_code


def use_all_connections(url: str, others: ExitStack) -> None:
    """Open connections until the server refuses one. Raises psycopg.OperationalError."""
    while True:
        others.enter_context(psycopg.connect(url))


def test_a_service_is_ready_while_others_use_all_connections_that_the_server_has(tmp_path: Path) -> None:
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url) as server,
        User(server, "ada") as ada,
        observe(url) as observer,
        ExitStack() as others,
    ):
        ada.create("kept")
        # The check may have had a connection of its own until now. While it is idle, the service notices too late.
        time.sleep(1.5)
        observer.execute(END_CHECKS)
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            use_all_connections(url, others)
        for _ in range(5):
            assert ada.titles() == ["kept"]
            assert readiness(server) == 200
            time.sleep(0.5)


def test_a_service_is_ready_while_all_its_connections_are_busy_and_the_server_has_no_other(tmp_path: Path) -> None:
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url, DATABASE_POOL_MAX_SIZE="2") as server,
        observe(url) as observer,
        ExitStack() as others,
        ThreadPoolExecutor(12) as threads,
    ):
        observer.execute(SLOW_WRITES)
        over = threading.Event()
        writing = [threads.submit(write, server, f"user-{number}", over) for number in range(12)]
        time.sleep(1.5)
        observer.execute(END_CHECKS)
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            use_all_connections(url, others)
        try:
            assert Counter(readiness(server) for _ in range(20)) == {200: 20}
        finally:
            over.set()
        assert sum((one.result() for one in writing), Counter[int]()).keys() == {201}


def write(server: str, user_id: str, over: threading.Event) -> Counter[int]:
    """Create tasks until it is over, and return how often each status occurred."""
    with User(server, user_id) as user:
        statuses = Counter[int]()
        while not over.is_set():
            statuses[user.request("POST", "/tasks", json={"title": "A task"}).status_code] += 1
        return statuses


def test_readiness_does_not_change_while_the_database_is_two_seconds_away(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with (
        faulty_proxy(url) as proxy,
        serve(tmp_path, DATABASE_URL=proxy.url) as server,
        User(server, "ada") as ada,
    ):
        ada.create("kept")
        wait_for_jobs(url)
        proxy.delay = 2.0
        assert {readiness(server) for _ in range(3)} == {200}
