"""The service behind PgBouncer in transaction mode, which Neon and other providers run in front of their databases."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.support.client import User
from tests.support.pgbouncer import needs_pgbouncer, run_pgbouncer
from tests.support.postgres import odd_database
from tests.support.server import run, serve, start

pytestmark = needs_pgbouncer


@pytest.fixture
def direct(postgres: str) -> str:
    """Return the URL of an empty database that bypasses PgBouncer."""
    return odd_database(postgres)


@pytest.fixture
def pooled(direct: str) -> Iterator[str]:
    """Yield the URL of the same database through PgBouncer."""
    with run_pgbouncer(direct) as url:
        yield url


def test_migrations_leave_no_advisory_lock_behind(direct: str, pooled: str, tmp_path: Path) -> None:
    assert run("migrate", directory=tmp_path, settings={"DATABASE_URL": pooled}).returncode == 0
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_without_prepared_statements_every_request_succeeds(pooled: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": pooled, "DATABASE_PREPARED_STATEMENTS": "false"}
    with serve(tmp_path, **settings) as server, ThreadPoolExecutor(8) as threads:

        def work(client: int) -> int:
            with User(server, f"user-{client}") as user:
                # Often enough for psycopg to prepare the statements if the setting did not forbid it.
                for number in range(15):
                    task = user.create(str(number))
                    assert user.get("/tasks").json()["tasks"][0] == task
                    assert task["created_at"].endswith("Z")
                return int(user.get("/tasks").json()["total"])

        assert list(threads.map(work, range(8))) == [15] * 8


def test_a_warning_at_startup_says_that_changes_are_found_late(direct: str, pooled: str, tmp_path: Path) -> None:
    settings = {"DATABASE_PREPARED_STATEMENTS": "false", "WEB_CONCURRENCY": "2"}
    with start(tmp_path, DATABASE_URL=pooled, **settings) as service:
        deadline = time.monotonic() + 20
        while "LISTEN" not in service.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        (said,) = [line for line in service.log.read_text().splitlines() if "LISTEN does not work" in line]
        assert "WARNING" in said
    with start(tmp_path, DATABASE_URL=direct) as service:
        time.sleep(2)
        assert "LISTEN" not in service.log.read_text()
