"""What a batch leaves in the database: times that never go back, and one deletion."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from tests.support.batches import create, delete, replace, restore, run, update
from tests.support.client import Json, User

# As if an hour had been taken from the clock since the tasks were written.
AN_HOUR_LATER = """
    UPDATE tasks SET created_at = created_at + interval '1 hour', updated_at = updated_at + interval '1 hour',
        deleted_at = deleted_at + interval '1 hour'
    WHERE user_id = %s
"""


ROWS = "SELECT id, updated_at, completed_at, deleted_at, deletion_id FROM tasks WHERE user_id = %s"


class Row(NamedTuple):
    """A task as it is stored."""

    id: UUID
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None
    deletion_id: UUID | None


def rows(database: str, user: User) -> dict[str, Row]:
    """Return the user's tasks by their ids."""
    with psycopg.connect(database, row_factory=class_row(Row)) as connection:
        return {str(row.id): row for row in connection.execute(ROWS, [user.id], binary=True)}


def ids(results: list[Json]) -> list[str]:
    """Return the ids of results."""
    return [one["id"] for one in results]


def test_no_task_is_changed_before_its_last_change(database: str, ada: User) -> None:
    replaced, updated, deleted, restored = ids(run(ada, *[create()] * 4)["results"])
    run(ada, delete(restored))
    with psycopg.connect(database) as connection:
        connection.execute(AN_HOUR_LATER, [ada.id])
    before = rows(database, ada)
    operations = replace(replaced, "b"), update(updated, completed=True), delete(deleted), restore(restored), create()
    new = run(ada, *operations)["results"][4]["id"]
    after = rows(database, ada)
    for task_id, row in before.items():
        assert after[task_id].updated_at == row.updated_at
    assert after[updated].completed_at == before[updated].updated_at
    assert after[deleted].deleted_at == before[deleted].updated_at
    assert after[new].updated_at < min(row.updated_at for row in before.values())


def test_all_tasks_that_a_batch_deletes_share_a_deletion_id(database: str, ada: User) -> None:
    first, second, third = ids(run(ada, *[create()] * 3)["results"])
    run(ada, delete(first), delete(second))
    run(ada, delete(third))
    deletions = {task_id: row.deletion_id for task_id, row in rows(database, ada).items()}
    assert deletions[first] == deletions[second] != deletions[third]
    assert None not in deletions.values()
    run(ada, restore(first))
    assert (rows(database, ada)[first].deleted_at, rows(database, ada)[first].deletion_id) == (None, None)


def test_the_response_shows_what_is_stored(ada: User) -> None:
    members = {
        "description": 'quotes " and \\ and 🎉',
        "due_date": "0001-01-01",
        "tags": ["a,b", '"', "{}", "NULL", "ä"],
    }
    task_id = run(ada, create("Büro", **members))["results"][0]["id"]
    done = run(ada, update(task_id, completed=True, priority="High"), create("9999", due_date="9999-12-31"))
    for result in done["results"]:
        assert ada.get(f"/tasks/{result['id']}").json() == result["task"]


def test_an_erased_task_cannot_be_restored(database: str, ada: User) -> None:
    task = ada.create()
    run(ada, delete(task["id"]))
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE tasks SET erased_at = deleted_at WHERE user_id = %s", [ada.id])
    done = run(ada, restore(task["id"]), mode="independent")
    assert done["results"][0]["status"] == 404
    for operation in (create(id=task["id"]), replace(task["id"])):
        result = run(ada, operation, mode="independent")["results"][0]
        assert (result["status"], "task" in result["problem"]) == (409, False)
