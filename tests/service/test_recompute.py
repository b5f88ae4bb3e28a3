"""`todo-api recompute` stores the instants that times in zones mean by the rules of today."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.server import run, serve

DUE = {"due_date": "2026-11-24", "due_time": "09:00", "time_zone": "Europe/Berlin"}


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a migrated database of the test's own."""
    url = new_database(postgres)
    migrate(url)
    return url


@pytest.fixture
def eve(url: str, tmp_path: Path) -> Iterator[User]:
    """Yield a user of a service with that database."""
    with serve(tmp_path, DATABASE_URL=url) as server, User(server, "eve") as user:
        yield user


def recompute(directory: Path, url: str) -> str:
    """Run the command, and return what it prints."""
    done = run("recompute", directory=directory, settings={"DATABASE_URL": url})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_only_what_means_another_instant_changes(eve: User, url: str, tmp_path: Path) -> None:
    stale, right, floating, deleted = (eve.create(name, **DUE) for name in ("stale", "right", "floating", "deleted"))
    eve.patch(floating["id"], {"time_zone": None})
    eve.delete(deleted["id"])
    before = eve.get("/tasks")
    with psycopg.connect(url, autocommit=True) as connection:
        # As if Berlin had had another offset when they were written.
        connection.execute("UPDATE tasks SET due_at = due_at - interval '1 hour' WHERE title IN ('stale', 'deleted')")
    assert recompute(tmp_path, url).startswith("Changed the due time of 2 tasks, by the time zones of 20")
    (changed,) = eve.get("/changes", params={"sync_token": before.headers["Sync-Token"]}).json()["tasks"]
    assert changed == stale | {"revision": eve.revision(), "updated_at": changed["updated_at"]}
    assert changed["revision"] == int(before.headers["ETag"][3:-1]) + 1
    assert eve.get(f"/tasks/{right['id']}").json() == right
    assert eve.request("POST", f"/trash/{deleted['id']}/restore").json()["due_at"] == deleted["due_at"]
    assert recompute(tmp_path, url).startswith("Changed the due time of 0 tasks")
