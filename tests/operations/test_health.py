"""Health, liveness and readiness while the database is up, down, frozen and back again."""

import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from handlers import __version__ as VERSION  # noqa: N812 - a constant here
from storage.administration.migrations import migrate
from storage.time_zones import VERSION as TZDATA
from tests.support.client import Json, User
from tests.support.jobs import wait_for_jobs
from tests.support.locked import locked_writes
from tests.support.postgres import end_sessions, new_database, postmaster, private_postgres, wait_for_locks
from tests.support.server import serve, start


def test_health_reports_healthy_while_the_database_is_up(server: str) -> None:
    response = httpx.get(f"{server}/health")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json() == {"status": "healthy", "version": VERSION, "database": "up", "tzdata": TZDATA}


def test_liveness_reports_a_running_process_as_alive(server: str) -> None:
    response = httpx.get(f"{server}/health/live")
    assert response.status_code == 200
    assert response.json() == {"status": "alive", "version": VERSION}


def readiness(server: str) -> tuple[int, Json, Json, Json]:
    """Return the HTTP status of `/health/ready` and the states of the service, the database and its migrations."""
    response = httpx.get(f"{server}/health/ready", timeout=10)
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json()
    return response.status_code, body["status"], body["database"], body["migrations"]


def test_the_service_is_ready_once_its_database_is_migrated(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with serve(tmp_path, DATABASE_URL=url, MIGRATE_ON_START="false") as server:
        assert readiness(server) == (503, "not_ready", "up", "pending")
        assert httpx.get(f"{server}/health").status_code == 200
        migrate(url)
        assert readiness(server) == (200, "ready", "up", "applied")
        # The revisions of an older and of a newer release.
        for revision, expected in ("0001", (503, "pending")), ("9999", (200, "applied")):
            with psycopg.connect(url) as connection:
                connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
            status, _, _, migrations = readiness(server)
            assert (status, migrations) == expected


def test_a_version_table_of_another_application_does_not_count_as_migrated(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE alembic_version (version text)")
    with serve(tmp_path, DATABASE_URL=url, MIGRATE_ON_START="false") as server:
        assert readiness(server) == (503, "not_ready", "up", "pending")


def test_concurrent_health_checks_all_succeed(server: str) -> None:
    def ask(client: int) -> set[int]:
        pauses = random.Random(client)  # noqa: S311 - the same pauses in every run
        statuses = set()
        with httpx.Client(base_url=server) as http:
            for _ in range(50):
                time.sleep(pauses.random() / 500)
                statuses.add(http.get("/health").status_code)
        return statuses

    with ThreadPoolExecutor(8) as threads:
        assert set().union(*threads.map(ask, range(8))) == {200}


def hang(url: str) -> list[int]:
    """Stop every process of a database server, as if its machine had frozen; return the process ids."""
    leader = postmaster(url)
    # First, so that it starts no other.
    os.kill(leader, signal.SIGSTOP)
    children = [int(line) for line in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]
    for process in children:
        # A process may have ended since it was listed.
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
    return [leader, *children]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the server's processes through Linux's /proc")
def test_health_reports_a_frozen_database_within_two_seconds_and_recovers_with_it(tmp_path: Path) -> None:
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url, DATABASE_STATEMENT_TIMEOUT="1") as server,
        User(server, "ada") as ada,
    ):
        task = ada.create("kept")
        frozen = hang(url)
        try:
            asked = time.monotonic()
            health = httpx.get(f"{server}/health", timeout=10)
            assert time.monotonic() - asked < 2
            assert health.status_code == 503
            assert health.json() == {"status": "unhealthy", "version": VERSION, "database": "down", "tzdata": TZDATA}
            assert int(health.headers["Retry-After"]) > 0
        finally:
            for process in frozen:
                # Once awake, the postmaster may reap a backend that had just ended.
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)
        deadline = time.monotonic() + 20
        while httpx.get(f"{server}/health", timeout=10).status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert ada.get(f"/tasks/{task['id']}").json() == task


def test_connections_closed_by_the_database_are_replaced_without_a_failed_request(tmp_path: Path) -> None:
    settings = {"DATABASE_POOL_MAX_SIZE": "10", "DATABASE_POOL_TIMEOUT": "1"}
    with private_postgres() as url, serve(tmp_path, DATABASE_URL=url, **settings) as server, User(server, "ada") as ada:
        task = ada.create("kept")
        with locked_writes(url, server, writes=10, connections=10):
            pass
        end_sessions(url)
        time.sleep(0.2)
        assert [ada.get(f"/tasks/{task['id']}").status_code for _ in range(12)] == [200] * 12
        assert httpx.get(f"{server}/health").status_code == 200


def test_a_connection_lost_before_its_statement_was_read_fails_the_request_at_once(tmp_path: Path) -> None:
    settings = {"DATABASE_POOL_MAX_SIZE": "1", "DATABASE_STATEMENT_TIMEOUT": "5"}
    with (
        private_postgres() as url,
        start(tmp_path, DATABASE_URL=url, **settings) as service,
        User(service.url, "ada") as ada,
        ThreadPoolExecutor() as threads,
    ):
        ada.create("first")
        wait_for_jobs(url)
        ada.create("kept")
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'WITH bump%'").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGSTOP)
        asked = threads.submit(ada.request, "POST", "/tasks", json={"title": "lost"})
        time.sleep(0.2)
        os.kill(row[0], signal.SIGKILL)
        assert asked.result().status_code == 503
        # PostgreSQL ends all sessions, and recovers.
        while ada.get("/tasks").status_code == 503:
            time.sleep(0.1)
        assert ada.titles() == ["kept", "first"]
        log = service.log.read_text()
    assert "server closed the connection unexpectedly" in log
    assert "took longer" not in log


def test_health_reports_healthy_while_every_pooled_connection_is_in_use(tmp_path: Path) -> None:
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url, DATABASE_POOL_MAX_SIZE="2") as server,
        locked_writes(url, server, writes=2, connections=2),
    ):
        assert httpx.get(f"{server}/health").status_code == 200


def test_a_write_that_times_out_returns_503_and_is_never_applied(tmp_path: Path) -> None:
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url, DATABASE_STATEMENT_TIMEOUT="1", DATABASE_POOL_MAX_SIZE="1") as server,
        User(server, "ada") as ada,
    ):
        task = ada.create("kept")
        with psycopg.connect(url) as connection:
            connection.execute("SELECT FROM accounts FOR UPDATE")
            assert ada.patch(task["id"], {"title": "late"}).status_code == 503
        wait_for_locks(url, 0)
        assert ada.get(f"/tasks/{task['id']}").json() == task
        assert ada.patch(task["id"], {"title": "in time"}).status_code == 200


def test_requests_queue_for_a_connection_until_the_pool_timeout(tmp_path: Path) -> None:
    settings = {"DATABASE_POOL_MAX_SIZE": "1", "DATABASE_POOL_TIMEOUT": "1", "DATABASE_STATEMENT_TIMEOUT": "3"}
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url, **settings) as server,
        User(server, "ada") as ada,
        ThreadPoolExecutor() as threads,
    ):
        task = ada.create("a task")
        assert set(threads.map(lambda _: ada.get("/tasks").status_code, range(20))) == {200}
        # A statement of a job that waits behind a slow one would have that cancelled and repeated.
        wait_for_jobs(url)
        with psycopg.connect(url) as connection:
            # What waits for the lock of a row would give way.
            connection.execute("LOCK TABLE tasks IN SHARE MODE")
            first = threads.submit(ada.patch, task["id"], {"title": "first"})
            wait_for_locks(url, 1)
            waited = ada.get("/tasks")
        assert (first.result().status_code, waited.status_code) == (200, 503)
        assert ada.get("/tasks").status_code == 200


def test_every_operation_returns_503_with_retry_after_while_the_database_is_down(tmp_path: Path) -> None:
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url, DATABASE_POOL_TIMEOUT="1") as server,
        User(server, "ada") as ada,
    ):
        task = ada.create("kept")
        os.kill(postmaster(url), signal.SIGINT)
        time.sleep(0.5)
        requests: list[Callable[[], httpx.Response]] = [
            lambda: ada.get("/tasks"),
            lambda: ada.get(f"/tasks/{task['id']}"),
            lambda: ada.request("POST", "/tasks", json={"title": "lost?"}),
            lambda: ada.patch(task["id"], {"completed": True}),
            lambda: ada.request("POST", f"/tasks/{task['id']}/move", json={"at": "first"}),
            lambda: ada.request("DELETE", f"/tasks/{task['id']}"),
            lambda: ada.request("POST", f"/tasks/{task['id']}/skip"),
            lambda: ada.get("/tags"),
            lambda: ada.get("/lists"),
            lambda: ada.get(f"/lists/{uuid4()}"),
            lambda: ada.request("POST", "/lists", json={"name": "lost?"}),
            lambda: ada.request("PUT", f"/lists/{uuid4()}", json={"name": "lost?"}),
            lambda: ada.request("PATCH", f"/lists/{uuid4()}", json={"name": "lost?"}),
            lambda: ada.request("DELETE", f"/lists/{uuid4()}"),
            lambda: ada.request("POST", f"/lists/{uuid4()}/restore"),
            lambda: ada.get("/preferences"),
            lambda: ada.request("PATCH", "/preferences", json={"week_start": "sunday"}),
        ]
        # In parallel, because each waits for a connection until the pool timeout.
        with ThreadPoolExecutor() as threads:
            responses = list(threads.map(lambda request: request(), requests))
        for response in responses:
            assert response.status_code == 503, response.text
            assert response.headers["Content-Type"] == "application/problem+json"
            assert int(response.headers["Retry-After"]) > 0
            assert response.json()["detail"] == "The database is not responding."
        assert httpx.get(f"{server}/health", timeout=10).status_code == 503
        assert readiness(server) == (503, "not_ready", "down", "unknown")
        assert httpx.get(f"{server}/health/live", timeout=10).status_code == 200
    log = next(tmp_path.glob("*.log")).read_text()
    for response in responses:
        assert f"request {response.headers['X-Request-ID']} could not reach the database: " in log
    assert "Traceback" not in log
