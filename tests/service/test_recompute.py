"""`todo-api recompute` stores the instants that times in zones mean by the rules of today."""

from pathlib import Path

import psycopg

from tests.support.client import User
from tests.support.server import output_of

DUE = {"due_date": "2026-11-24", "due_time": "09:00", "time_zone": "Europe/Berlin"}


def test_only_what_means_another_instant_changes(eve: User, own_database: str, tmp_path: Path) -> None:
    stale, right, floating, deleted = (eve.create(name, **DUE) for name in ("stale", "right", "floating", "deleted"))
    eve.patch(floating["id"], {"time_zone": None})
    eve.delete(deleted["id"])
    before = eve.get("/tasks")
    with psycopg.connect(own_database, autocommit=True) as connection:
        # As if Berlin had had another offset when they were written.
        connection.execute("UPDATE tasks SET due_at = due_at - interval '1 hour' WHERE title IN ('stale', 'deleted')")
    printed = output_of("recompute", tmp_path, own_database)
    assert printed.startswith("Changed the due time of 2 tasks, by the time zones of 20")
    (changed,) = eve.get("/changes", params={"sync_token": before.headers["Sync-Token"]}).json()["tasks"]
    assert changed == stale | {"revision": eve.revision(), "updated_at": changed["updated_at"]}
    assert changed["revision"] == int(before.headers["ETag"][3:-1]) + 1
    assert eve.get(f"/tasks/{right['id']}").json() == right
    assert eve.request("POST", f"/trash/{deleted['id']}/restore").json()["due_at"] == deleted["due_at"]
    assert output_of("recompute", tmp_path, own_database).startswith("Changed the due time of 0 tasks")
