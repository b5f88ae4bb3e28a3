"""Purging: tombstones and keys are deleted when their retention is over, in portions, each account's revision noted."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.client import User
from tests.support.copies import change, copy_project
from tests.support.postgres import new_database
from tests.support.server import run, start

# Tasks of one user, deleted as many days ago as their revision says; those with an odd revision were erased.
DELETED = """
INSERT INTO tasks
    (user_id, id, revision, title, completed, priority, tags, created_at, updated_at, deleted_at, erased_at)
SELECT %(user_id)s, gen_random_uuid(), n, 't', false, 2, '{}', at, at, at, CASE WHEN n %% 2 = 1 THEN now() END
FROM generate_series(%(first)s::integer, %(last)s) AS n, LATERAL (SELECT now() - make_interval(days => n) AS at)
"""
KEYS = """
INSERT INTO idempotency_keys (user_id, key, fingerprint, answer, created_at)
SELECT %(user_id)s, n::text, '', '{}', now() - make_interval(days => n)
FROM generate_series(%(first)s::integer, %(last)s) AS n
"""
# What each statement on the table does in one go.
COUNTED = """
CREATE TABLE portions (at timestamptz DEFAULT clock_timestamp(), name text, size integer);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO portions (name, size) SELECT TG_TABLE_NAME, count(*) FROM gone; RETURN NULL; END
$$;
CREATE TRIGGER note AFTER DELETE ON tasks REFERENCING OLD TABLE AS gone EXECUTE FUNCTION note();
CREATE TRIGGER note AFTER DELETE ON idempotency_keys REFERENCING OLD TABLE AS gone EXECUTE FUNCTION note();
"""


class Stored:
    """A migrated database, and what is in it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement, and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def fill(self, user_id: str, first: int, last: int, statement: str = DELETED) -> None:
        """Add tombstones, or keys, that are as many days old as these numbers; the user's revision is 10,000."""
        opened = "INSERT INTO accounts (user_id, revision) VALUES (%(user_id)s, 10000) ON CONFLICT DO NOTHING"
        self.execute(opened, user_id=user_id)
        self.execute(statement, user_id=user_id, first=first, last=last)

    def tasks(self, user_id: str) -> list[int]:
        """Return the revisions of a user's tasks, deleted ones too."""
        found = "SELECT revision FROM tasks WHERE user_id = %(user_id)s ORDER BY revision"
        return [revision for (revision,) in self.execute(found, user_id=user_id)]

    def keys(self) -> list[tuple[str, int]]:
        """Return the user of each key, and how many days old it is."""
        return self.execute("SELECT user_id, key::integer FROM idempotency_keys ORDER BY user_id, key::integer")

    def accounts(self) -> dict[str, tuple[int, int]]:
        """Return each user's revision, and the greatest one that was purged."""
        found = "SELECT user_id, revision, purged FROM accounts"
        return {user_id: (revision, purged) for user_id, revision, purged in self.execute(found)}

    def portions(self, table: str) -> list[int]:
        """Return how many rows each statement has deleted."""
        found = "SELECT size FROM portions WHERE name = %(table)s AND size > 0 ORDER BY at"
        return [size for (size,) in self.execute(found, table=table)]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def stored(postgres: str) -> Stored:
    """Return a migrated database."""
    url = new_database(postgres)
    migrate(url)
    return Stored(url)


@contextmanager
def used(directory: Path, stored: Stored, **settings: str) -> Iterator[User]:
    """Run a service, and yield a user who has sent a request to it."""
    with start(directory, DATABASE_URL=stored.url, **settings) as service, User(service.url, "grace") as grace:
        grace.titles()
        yield grace


def purge(directory: Path, stored: Stored, **settings: str) -> str:
    """Run `todo-api purge`, and return what it prints."""
    done = run("purge", directory=directory, settings={"DATABASE_URL": stored.url, **settings})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_service_purges_what_is_older_than_its_retention(tmp_path: Path, stored: Stored) -> None:
    stored.fill("ada", 25, 40)
    stored.fill("ada", 3, 12, KEYS)
    with used(tmp_path, stored) as grace:
        kept = grace.create()
        stored.wait(lambda: len(stored.keys()) == 4 and len(stored.tasks("ada")) == 5)
        assert grace.get(f"/tasks/{kept['id']}").json() == kept
    assert stored.tasks("ada") == [25, 26, 27, 28, 29]
    assert stored.keys() == [("ada", 3), ("ada", 4), ("ada", 5), ("ada", 6)]


def test_the_settings_say_how_long_each_is_kept(tmp_path: Path, stored: Stored) -> None:
    stored.fill("ada", 1, 4)
    stored.fill("ada", 1, 4, KEYS)
    with used(tmp_path, stored, TRASH_RETENTION_DAYS="2", IDEMPOTENCY_RETENTION_DAYS="3"):
        stored.wait(lambda: stored.tasks("ada") == [1] and len(stored.keys()) == 2)


def test_each_account_notes_the_greatest_revision_that_was_purged_and_keeps_its_own(
    tmp_path: Path, stored: Stored
) -> None:
    stored.fill("ada", 25, 40)
    stored.fill("grace", 20, 29)
    stored.fill("mary", 30, 31)
    stored.execute("UPDATE accounts SET purged = 5000 WHERE user_id = 'mary'")
    purge(tmp_path, stored)
    assert stored.accounts() == {"ada": (10000, 40), "grace": (10000, 0), "mary": (10000, 5000)}
    assert (len(stored.tasks("grace")), stored.tasks("mary")) == (10, [])


def test_a_portion_has_at_most_a_thousand_rows(tmp_path: Path, stored: Stored) -> None:
    stored.execute(COUNTED)
    stored.fill("ada", 100, 2599)
    stored.fill("grace", 100, 1099)
    stored.fill("mary", 100, 102)
    stored.fill("ada", 100, 1349, KEYS)
    stored.fill("mary", 100, 1349, KEYS)
    words = "Purged 3,503 tasks deleted more than 30 days ago, and 2,500 idempotency keys older than 7 days.\n"
    assert purge(tmp_path, stored) == words
    assert stored.portions("tasks") == [1000, 1000, 500, 1000, 3]
    assert stored.portions("idempotency_keys") == [1000, 1000, 500]


def test_the_command_says_how_much_it_has_purged(tmp_path: Path, stored: Stored) -> None:
    stored.fill("ada", 2, 2)
    stored.fill("ada", 7, 8, KEYS)
    few = {"TRASH_RETENTION_DAYS": "1"}
    words = "Purged 1 task deleted more than 1 day ago, and 2 idempotency keys older than 7 days.\n"
    assert purge(tmp_path, stored, **few) == words
    nothing = "Purged 0 tasks deleted more than 1 day ago, and 0 idempotency keys older than 7 days.\n"
    assert purge(tmp_path, stored, **few) == nothing


def test_more_users_than_a_portion_are_all_reached(tmp_path: Path, stored: Stored) -> None:
    for statement in (
        "INSERT INTO accounts (user_id, revision) SELECT 'user-' || n, 9 FROM generate_series(1, 2100) AS n",
        """INSERT INTO tasks
               (user_id, id, revision, title, completed, priority, tags, created_at, updated_at, deleted_at)
           SELECT user_id, gen_random_uuid(), 7, 't', false, 2, '{}', now(), now(), now() - interval '90 days'
           FROM accounts""",
    ):
        stored.execute(statement)
    assert purge(tmp_path, stored).startswith("Purged 2,100 tasks ")
    assert set(stored.accounts().values()) == {(9, 7)}


def test_a_user_whose_account_stays_locked_keeps_no_other_from_being_purged(tmp_path: Path, stored: Stored) -> None:
    for user_id in ("ada", "grace", "mary"):
        stored.fill(user_id, 100, 102)
    settings = {"DATABASE_URL": stored.url, "DATABASE_STATEMENT_TIMEOUT": "1"}
    with psycopg.connect(stored.url) as connection:
        connection.execute("SELECT FROM accounts WHERE user_id = 'grace' FOR UPDATE")
        done = run("purge", directory=tmp_path, settings=settings)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert [stored.tasks(user_id) for user_id in ("ada", "grace", "mary")] == [[], [100, 101, 102], []]
    assert purge(tmp_path, stored).startswith("Purged 3 tasks ")


def test_the_ids_of_purged_tasks_and_purged_keys_are_free_again(tmp_path: Path, stored: Stored) -> None:
    with used(tmp_path, stored) as grace:
        headers = {"Idempotency-Key": "key"}
        task = grace.request("POST", "/tasks", json={"title": "A task"}, headers=headers).json()
        assert grace.request("DELETE", f"/tasks/{task['id']}").status_code == 204
        assert grace.request("POST", "/tasks", json={"title": "Another task"}, headers=headers).status_code == 422
        stored.execute("UPDATE tasks SET deleted_at = now() - interval '31 days'")
        stored.execute("UPDATE idempotency_keys SET created_at = now() - interval '8 days'")
        purge(tmp_path, stored)
        assert stored.tasks("grace") == []
        again = grace.request("POST", "/tasks", json={"title": "Another task"}, headers=headers)
        assert (again.status_code, again.json()["revision"], "Idempotency-Replayed" in again.headers) == (201, 3, False)
        stored.execute("UPDATE tasks SET id = %(id)s", id=task["id"])


def test_users_write_while_their_tombstones_are_purged(tmp_path: Path, stored: Stored) -> None:
    stored.fill("grace", 100, 9000)
    with used(tmp_path, stored) as grace:
        revisions: list[int] = []
        deadline = time.monotonic() + 30
        while len(stored.tasks("grace")) > len(revisions):
            assert time.monotonic() < deadline
            revisions.append(grace.create()["revision"])
    assert revisions == list(range(10_001, 10_001 + len(revisions)))
    assert stored.accounts()["grace"] == (10_000 + len(revisions), 9000)


def test_another_process_goes_on_where_one_was_killed(tmp_path: Path, stored: Stored) -> None:
    copy_project(tmp_path)
    runner = tmp_path / "handlers" / "jobs" / "runner.py"
    change(runner, "_LEASE = timedelta(seconds=60)", "_LEASE = timedelta(seconds=1)")
    change(tmp_path / "storage" / "purging.py", "PORTION = 1000", "PORTION = 1")
    stored.fill("ada", 100, 400)
    settings = {"PYTHONPATH": str(tmp_path), "DATABASE_URL": stored.url}
    with start(tmp_path, **settings) as first, start(tmp_path, **settings) as second:
        with User(first.url, "grace") as grace:
            grace.titles()
        stored.wait(lambda: len(stored.tasks("ada")) < 290)
        first.stop(signal.SIGKILL)
        left = stored.tasks("ada")
        assert left
        assert stored.accounts()["ada"][1] == 400
        with User(second.url, "grace") as grace:
            grace.titles()
        stored.wait(lambda: not stored.tasks("ada"))
