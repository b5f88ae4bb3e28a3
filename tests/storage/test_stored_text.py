"""The migration that normalises stored text: what it changes, what it leaves alone, and whom it makes wait."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.rows import dict_row

from storage.administration.migrations import alembic_config, migrate
from tests.support import forked
from tests.support.marks import cost
from tests.support.postgres import new_database, wait_for_locks
from tests.support.revisions import migrate_to
from tests.support.server import environment, module

E_ACUTE = "e\u0301"
# In NFC, three code points.
LONGER = "\U0001d160"
INSERT = """
    INSERT INTO tasks (user_id, id, revision, title, description, completed, priority, tags, created_at, updated_at,
        deleted_at)
    SELECT %(user_id)s, gen_random_uuid(), n, %(title)s, %(description)s, false, 2, %(tags)s, '2026-01-01',
        '2026-01-02', %(deleted_at)s
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
"""
COLUMNS = {"user_id", "id", "revision", "title", "description", "completed", "completed_at", "priority", "due_date"}
COLUMNS |= {"tags", "created_at", "updated_at", "deleted_at"}


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database as the previous release left it."""
    url = new_database(postgres)
    migrate_to("0003", url)
    return url


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Yield a connection to that database, in autocommit."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


Connection = psycopg.Connection[dict[str, Any]]


def store(connection: Connection, user_id: str, *, first: int = 1, last: int = 1, **values: Any) -> None:
    """Store tasks of a user, as the previous release did, with the revisions `first` to `last`."""
    stored = {"title": "t", "description": None, "tags": [], "deleted_at": None} | values
    stored |= {"user_id": user_id, "first": first, "last": last}
    connection.execute("INSERT INTO accounts VALUES (%s, %s) ON CONFLICT DO NOTHING", [user_id, 1000])
    connection.execute(INSERT, stored)


def create_meanwhile(connection: Connection, user_id: str) -> None:
    """Create a task, as the previous release does, unless a lock is in its way."""
    connection.execute("SET lock_timeout = '2s'")
    connection.execute("UPDATE accounts SET revision = revision + 1 WHERE user_id = %s", [user_id])
    store(connection, user_id, first=1001, last=1001, title="meanwhile")


def tables(connection: Connection, *columns: str) -> list[dict[str, Any]]:
    """Return all accounts and tasks, without some columns and those that later migrations add."""
    rows = connection.execute("SELECT * FROM accounts ORDER BY user_id").fetchall()
    rows += connection.execute("SELECT * FROM tasks ORDER BY user_id, revision").fetchall()
    return [{name: value for name, value in row.items() if name in COLUMNS and name not in columns} for row in rows]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"title": f"Caf{E_ACUTE}"}, {"title": "Café"}),
        ({"description": f"Caf{E_ACUTE}"}, {"description": "Café"}),
        ({"tags": ["a", E_ACUTE]}, {"tags": ["a", "é"]}),
        ({"tags": [E_ACUTE, "a", "é", "b"]}, {"tags": ["é", "a", "b"]}),
        ({"title": E_ACUTE, "deleted_at": "2026-01-02"}, {"title": "é"}),
        ({"title": E_ACUTE * 100}, {"title": "é" * 100}),
        ({"title": "a\u0301\u0323\u0301"}, {"title": "\u1ea1\u0301\u0301"}),
        # These would become too long.
        ({"title": LONGER * 67, "tags": [E_ACUTE]}, {"tags": ["é"]}),
        ({"description": LONGER * 3334, "title": E_ACUTE}, {"title": "é"}),
        ({"tags": [LONGER * 17, E_ACUTE]}, {"tags": [LONGER * 17, "é"]}),
        ({"title": "Café", "description": "plain", "tags": ["é"]}, {}),
    ],
    ids=lambda value: json.dumps(value)[:30],
)
def test_stored_text_is_normalised_and_nothing_else_changes(
    connection: Connection, url: str, stored: dict[str, Any], expected: dict[str, Any]
) -> None:
    store(connection, "ada", **stored)
    account, task = tables(connection)
    migrate(url)
    assert tables(connection) == [account, task | expected]


def test_tasks_of_many_batches_and_users_are_normalised(connection: Connection, url: str) -> None:
    for user_id in ("ada", "grace"):
        store(connection, user_id, last=250, title=E_ACUTE, tags=[E_ACUTE, "é"])
    store(connection, "plain", last=10)
    before = tables(connection, "title", "tags")
    migrate(url)
    assert tables(connection, "title", "tags") == before
    counted = connection.execute(
        "SELECT title, tags, count(*) FROM tasks GROUP BY title, tags ORDER BY title"
    ).fetchall()
    assert counted == [{"title": "t", "tags": [], "count": 10}, {"title": "é", "tags": ["é"], "count": 500}]


def version(connection: Connection) -> str:
    """Return the revision of the last migration."""
    (row,) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(row["version_num"])


def test_batches_are_committed_one_by_one_and_an_interrupted_run_is_continued(
    connection: Connection, url: str, tmp_path: Path
) -> None:
    users = ("ada", "grace", "linus")
    for user_id in users:
        store(connection, user_id, last=150, title=E_ACUTE)
    with psycopg.connect(url) as other:
        # The migration comes to grace second, and waits.
        other.execute("SELECT FROM accounts WHERE user_id = 'grace' FOR UPDATE")
        process = forked.start(module("migrate"), tmp_path, environment(DATABASE_URL=url), 1, 2)
        try:
            wait_for_locks(url, 1)
            for user_id in ("ada", "linus"):
                create_meanwhile(connection, user_id)
        finally:
            process.kill()
        assert process.wait(10) == -signal.SIGKILL
    assert version(connection) == "0003"
    assert normalised(connection) == {"ada": 150, "grace": 0, "linus": 0}
    before = tables(connection, "title")
    migrate(url)
    assert version(connection) >= "0004"
    assert normalised(connection) == dict.fromkeys(users, 150)
    assert tables(connection, "title") == before


def normalised(connection: Connection) -> dict[str, int]:
    """Return how many normalised titles each user has."""
    rows = connection.execute("SELECT user_id, count(*) FILTER (WHERE title = 'é') FROM tasks GROUP BY user_id")
    return {row["user_id"]: row["count"] for row in rows}


def test_a_write_that_a_batch_waits_for_is_not_lost(connection: Connection, url: str) -> None:
    store(connection, "ada", last=2, title=E_ACUTE)
    with ThreadPoolExecutor() as threads, psycopg.connect(url) as other:
        other.execute("UPDATE accounts SET revision = 1001")
        migration = threads.submit(migrate, url)
        wait_for_locks(url, 1)
        other.execute("UPDATE tasks SET title = %s, revision = 1001 WHERE revision = 2", [f"New {E_ACUTE}"])
        other.commit()
        migration.result(20)
    _, first, second = tables(connection)
    assert (first["title"], second["title"], second["revision"]) == ("é", "New é", 1001)


def test_the_time_for_marks_grows_in_proportion_to_their_number() -> None:
    # Otherwise somebody who stores such text could hold up the start of the next release.
    script: Any = ScriptDirectory.from_config(alembic_config()).get_revision("0004")
    normalised_task = partial(script.module._normalised, "t", tags=[])
    assert cost(normalised_task, 32_000) < 9 * cost(normalised_task, 8_000)
