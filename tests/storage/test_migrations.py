"""Migrations: applied once even if many processes start together, all or nothing, and one line for each failure."""

import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from alembic.script import ScriptDirectory

from storage.administration.migrations import alembic_config, head
from tests.support.arranging import arranged, moved, order
from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.revisions import migrate_to
from tests.support.server import run, serve, start


@pytest.fixture
def empty(postgres: str) -> str:
    """Return the URL of a database without tables."""
    return new_database(postgres)


def migrated(url: str) -> bool:
    """Return whether a database has the tables."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT to_regclass('tasks') IS NOT NULL").fetchone() == (True,)


def refused(directory: Path, url: str) -> str:
    """Run `migrate` on a database that it must refuse; return its error, a single line."""
    done = run("migrate", directory=directory, settings={"DATABASE_URL": url})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    return done.stderr.removeprefix("Error: ").strip()


def test_the_head_revision_is_the_one_that_alembic_finds() -> None:
    assert head() == ScriptDirectory.from_config(alembic_config()).get_current_head()


def at_once(number: int, directory: Path, url: str) -> list[subprocess.CompletedProcess[str]]:
    """Run `migrate` this many times at once; return the finished processes."""
    with ThreadPoolExecutor(number) as threads:
        settings = {"DATABASE_URL": url}
        started = [threads.submit(run, "migrate", directory=directory, settings=settings) for _ in range(number)]
        return [replica.result() for replica in started]


def test_ten_concurrent_migrations_migrate_the_database_once(tmp_path: Path, empty: str) -> None:
    for done in at_once(10, tmp_path, empty):
        assert (done.returncode, done.stdout, done.stderr) == (0, "The database is up to date.\n", "")
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(head(),)]
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)


def logged(directory: Path, url: str) -> list[str]:
    """Run `serve`; return what it logs before its greeting, without the times."""
    with start(directory, DATABASE_URL=url) as service:
        before, greeting, _ = service.log.read_text().partition("Todo API ")
    assert greeting
    return re.findall(r"INFO: +(\w.+)", before)


def test_the_migrations_of_a_new_database_are_one_line_in_the_log(tmp_path: Path, empty: str) -> None:
    assert logged(tmp_path, empty) == ["Created the tables in a new database"]
    assert logged(tmp_path, empty) == []


def test_each_migration_of_a_database_that_has_tables_is_one_line_in_the_log(tmp_path: Path, empty: str) -> None:
    migrate_to("0002", empty)
    lines = logged(tmp_path, empty)
    assert [line.partition(": ")[0] for line in lines] == [f"Running migration {number:04}" for number in range(3, 13)]


def waiting(connection: psycopg.Connection[Any]) -> int:
    """Return how many sessions wait for an advisory lock."""
    row = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()
    assert row is not None
    return int(row[0])


def test_concurrent_migrations_wait_for_each_other(tmp_path: Path, empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection, ThreadPoolExecutor() as threads:
        connection.execute("SELECT pg_advisory_lock(7261042001)")
        replicas = threads.submit(at_once, 2, tmp_path, empty)
        deadline = time.monotonic() + 20
        while waiting(connection) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert waiting(connection) == 2
        assert not migrated(empty)
        connection.execute("SELECT pg_advisory_unlock(7261042001)")
        assert [replica.returncode for replica in replicas.result()] == [0, 0]
    assert migrated(empty)


def test_migrating_keeps_the_data_of_an_earlier_version(tmp_path: Path, empty: str) -> None:
    migrate_to("0001", empty)
    with psycopg.connect(empty) as connection:
        connection.execute("INSERT INTO accounts VALUES ('ada', 1)")
        connection.execute(
            "INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)"
            " VALUES ('ada', gen_random_uuid(), 1, 'kept', false, 2, '{a}', now(), now())"
        )
    with serve(tmp_path, DATABASE_URL=empty) as server, User(server, "ada") as ada:
        assert ada.titles(search="KEPT", tags="a") == ["kept"]
        assert ada.create()["revision"] == 2


def test_tasks_of_an_earlier_version_are_in_the_order_of_their_creation(tmp_path: Path, empty: str) -> None:
    insert = (
        "INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)"
        " SELECT 'ada', gen_random_uuid(), n, title, false, 2, '{}', now() - (10 - n) * interval '1 second', now()"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS new (title, n)"
    )
    # Migration 0004 has a connection of its own, which must see the tables.
    for revision in ("0003", "0007"):
        migrate_to(revision, empty)
    with psycopg.connect(empty) as connection:
        connection.execute("INSERT INTO accounts VALUES ('ada', 9)")
        connection.execute(insert, [[*"abc"]])
    with serve(tmp_path, DATABASE_URL=empty) as server, User(server, "ada") as ada:
        ada.create("d")
        with psycopg.connect(empty) as connection:
            # During a rollout, the earlier version creates more of them.
            connection.execute(insert, [["-", "-", "-", "x"]])
            connection.execute("DELETE FROM tasks WHERE title = '-'")
        assert order(ada) == "abcxd"
        tasks = {task["title"]: task for task in arranged(ada)}
        for title, anchor in (("d", "a"), ("a", "c"), ("x", "d")):
            assert moved(ada, tasks[title], before=tasks[anchor])["title"] == title
        assert order(ada) == "xdbac"
        assert [task["revision"] for task in arranged(ada)] == [13, 11, 2, 12, 3]


def test_serve_migrates_unless_migrate_on_start_is_false(tmp_path: Path, empty: str) -> None:
    with serve(tmp_path, DATABASE_URL=empty, MIGRATE_ON_START="false"):
        assert not migrated(empty)
    with serve(tmp_path, DATABASE_URL=empty) as server, User(server, "ada") as ada:
        assert ada.create("migrated")


def test_a_database_migrated_by_a_newer_release_is_served_unchanged(tmp_path: Path, empty: str) -> None:
    assert run("migrate", directory=tmp_path, settings={"DATABASE_URL": empty}).returncode == 0
    with psycopg.connect(empty) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with serve(tmp_path, DATABASE_URL=empty) as server, User(server, "ada") as ada:
        assert ada.create("served")
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_a_database_migrated_by_another_application_is_refused(tmp_path: Path, empty: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    assert refused(tmp_path, empty).startswith("The database has a migration that this release does not have: ")


@pytest.fixture
def stranger(empty: str) -> Iterator[str]:
    """Yield the URL of the same database for a role that may only connect."""
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN")
        yield urlsplit(empty)._replace(netloc="stranger@").geturl()
        connection.execute("DROP ROLE stranger")


def test_a_role_without_permission_gets_the_reason_and_leaves_no_tables(stranger: str, tmp_path: Path) -> None:
    assert refused(tmp_path, stranger).startswith("The database cannot be migrated: permission denied")
    assert not migrated(stranger)


def test_a_read_only_database_is_reported_as_such(empty: str, tmp_path: Path) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET default_transaction_read_only = on".encode())
    assert "read-only transaction" in refused(tmp_path, empty)
    assert not migrated(empty)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("LOCALE 'C' TEMPLATE template0", "The database's locale does not map Ä to ä"),
        ("ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0", "The database's encoding is not UTF8"),
    ],
)
def test_a_database_whose_locale_or_encoding_breaks_search_is_refused(
    tmp_path: Path, postgres: str, options: str, sentence: str
) -> None:
    url = new_database(postgres, f"LOCALE_PROVIDER libc {options}")
    assert refused(tmp_path, url).startswith(sentence)
    assert not migrated(url)
