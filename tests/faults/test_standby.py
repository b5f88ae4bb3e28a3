"""With synchronous replication, no write is acknowledged that the standby does not have."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.client import User
from tests.support.postgres import private_postgres
from tests.support.server import serve

REQUIRE = "ALTER SYSTEM SET synchronous_standby_names = 'absent'"
RELEASE = "ALTER SYSTEM RESET synchronous_standby_names"


@pytest.mark.parametrize("level", ["notice", "error"])
def test_a_write_that_does_not_reach_the_standby_is_not_acknowledged(tmp_path: Path, level: str) -> None:
    """PostgreSQL reports it with a warning, which the role's own settings may suppress."""
    settings = {"DATABASE_STATEMENT_TIMEOUT": "1", "DATABASE_POOL_MAX_SIZE": "2"}
    with private_postgres() as url:
        alter(url, f"ALTER ROLE CURRENT_USER SET client_min_messages = '{level}'")
        with serve(tmp_path, DATABASE_URL=url, **settings) as server:
            assert [create(server, "before", n) for n in range(2)] == [201, 201]
            alter(url, REQUIRE)
            # Some wait until their time is up, and others are cancelled before that because they hold up others.
            with ThreadPoolExecutor(12) as threads:
                statuses = Counter(threads.map(lambda number: create(server, f"user-{number}", number), range(12)))
            assert statuses == {503: 12}
            alter(url, RELEASE)
            assert create(server, "after", 1) == 201


def test_a_transaction_that_no_longer_waits_for_the_standby_is_not_acknowledged(tmp_path: Path) -> None:
    """PostgreSQL commits it, with a warning, if somebody cancels the wait."""
    batch = {"operations": [{"op": "create", "task": {"title": "A task", "tags": ["a"]}}]}
    with private_postgres() as url, serve(tmp_path, DATABASE_URL=url) as server, User(server, "ada") as ada:
        alter(url, REQUIRE)
        for method, path, body in (
            ("POST", "/batch", batch),
            ("PATCH", "/tasks?tags=a", {"description": "Changed"}),
            ("PATCH", "/tags?name=a", {"name": "b"}),
            ("DELETE", "/tags?name=b", None),
            ("DELETE", "/tasks?completed=false", None),
            ("DELETE", "/trash", None),
        ):
            with ThreadPoolExecutor(1) as thread:
                writing = thread.submit(ada.request, method, path, json=body, timeout=60)
                stop_waiting(url)
                assert writing.result().status_code == 503, (method, path)
        alter(url, RELEASE)
        assert ada.request("POST", "/batch", json=batch).status_code == 200


def test_writes_that_wait_for_the_standby_do_not_make_each_other_fail(tmp_path: Path) -> None:
    """Otherwise, a write that holds up others for a tenth of a second is cancelled."""
    with private_postgres() as url:
        migrate(url)
        alter(url, REQUIRE)
        with serve(tmp_path, DATABASE_URL=url, DATABASE_POOL_TIMEOUT="60", DATABASE_STATEMENT_TIMEOUT="60") as server:
            with ThreadPoolExecutor(24) as threads:
                statuses = threads.map(lambda number: create(server, f"user-{number}", number), range(24))
                time.sleep(1)
                alter(url, RELEASE)
            assert Counter(statuses) == {201: 24}


def alter(url: str, statement: str) -> None:
    """Change a setting of the server, and wait until it applies to all sessions."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        connection.execute("SELECT pg_reload_conf()")
    assert row is not None
    while not reloaded(url, row[0]):
        time.sleep(0.01)
    with psycopg.connect(url, autocommit=True) as connection:
        # Whether writes wait for a standby is decided by the checkpointer, which reads the settings first.
        connection.execute("CHECKPOINT")


def reloaded(url: str, since: datetime) -> bool:
    """Return whether new sessions have the settings of a reload after this time."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT pg_conf_load_time() >= %s", [since]).fetchone() == (True,)


def stop_waiting(url: str) -> None:
    """Cancel the wait of a write for the standby, once there is one. Raises TimeoutError after 10 seconds."""
    cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    deadline = time.monotonic() + 10
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            if connection.execute(cancel).fetchone():
                return
            time.sleep(0.02)
    raise TimeoutError


def create(server: str, user: str, number: int) -> int:
    """Create a task, and return the status."""
    with User(server, user) as one:
        return one.request("POST", "/tasks", json={"title": f"Task {number}"}, timeout=60).status_code
