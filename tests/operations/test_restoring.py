"""Restoring takes a task out of the trash, as it was, with a new revision."""

from uuid import uuid4

import psycopg
import pytest

from tests.support.client import Json, User
from tests.support.tasks import FULL
from tests.support.trash import restore

DONE = FULL | {"completed": True}


def deletion_of(user: User, task_id: str) -> str:
    """Delete a task, and return the id of the deletion."""
    assert user.delete(task_id).status_code == 204
    found = {task["id"]: task["deletion_id"] for task in user.get("/trash").json()["tasks"]}
    return str(found[task_id])


@pytest.mark.parametrize("members", [DONE, {"title": "Only a title"}], ids=["full", "smallest"])
def test_a_restored_task_is_as_it_was_with_a_new_revision(ada: User, members: Json) -> None:
    task, other = ada.create(**members), ada.create("another")
    ada.delete(task["id"])
    deleted_at = ada.get("/trash").json()["tasks"][0]["deleted_at"]
    response = ada.request("POST", f"/trash/{task['id']}/restore")
    restored = response.json()
    assert response.status_code == 200
    assert restored == task | {"revision": 4, "updated_at": restored["updated_at"]}
    assert task["updated_at"] < deleted_at < restored["updated_at"]
    assert response.headers["ETag"] == '"4"'
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert ada.get("/trash").json()["tasks"] == []
    assert ada.get("/tasks").json()["tasks"] == [other, restored]
    assert ada.revision() == 4


def test_a_restored_task_is_found_by_its_words_and_tags_again(ada: User) -> None:
    task = ada.create(**DONE)
    ada.delete(task["id"])
    restore(ada, task["id"])
    assert ada.titles(search="litres") == ada.titles(tags="shopping") == ada.titles(completed=True) == ["Buy milk"]
    assert ada.get("/tags").json() == [{"name": name, "usage_count": 1} for name in ("home", "shopping")]


def test_restoring_a_live_task_changes_nothing(ada: User) -> None:
    task = ada.create(**DONE)
    for _ in range(2):
        assert restore(ada, task["id"]) == task
    ada.delete(task["id"])
    restored = restore(ada, task["id"])
    assert restore(ada, task["id"]) == restored
    assert ada.revision() == 3


def test_what_is_neither_live_nor_in_the_trash_cannot_be_restored(ada: User, grace: User) -> None:
    erased, live, trashed = ada.create(), grace.create("live"), grace.create("trashed")
    ada.delete(erased["id"])
    ada.request("DELETE", f"/trash/{erased['id']}")
    grace.delete(trashed["id"])
    before = ada.revision()
    for task_id in (erased["id"], live["id"], trashed["id"], str(uuid4())):
        response = ada.request("POST", f"/trash/{task_id}/restore")
        assert (response.status_code, response.json()["detail"]) == (404, "There is no such task.")
    assert ada.revision() == before
    assert [task["title"] for task in grace.get("/trash").json()["tasks"]] == ["trashed"]


def test_a_restored_task_can_be_changed_and_deleted_again_by_another_deletion(ada: User) -> None:
    task = ada.create()
    first = deletion_of(ada, task["id"])
    restored = restore(ada, task["id"])
    assert ada.patch(task["id"], {"title": "changed"}, headers={"If-Match": f'"{task["revision"]}"'}).status_code == 412
    changed = ada.patch(task["id"], {"title": "changed"}, headers={"If-Match": f'"{restored["revision"]}"'})
    assert changed.status_code == 200
    assert deletion_of(ada, task["id"]) != first
    assert restore(ada, task["id"])["title"] == "changed"


def test_what_an_older_release_deleted_can_be_restored(database: str, ada: User) -> None:
    task = ada.create(**DONE)
    restored = restore(ada, delete_as_before(database, ada, task["id"]))
    assert restored == task | {"revision": 3, "updated_at": restored["updated_at"]}


def test_an_older_release_deletes_a_restored_task_by_a_deletion_of_its_own(database: str, ada: User) -> None:
    task = ada.create()
    deletion_of(ada, task["id"])
    restore(ada, task["id"])
    delete_as_before(database, ada, task["id"])
    (found,) = ada.get("/trash").json()["tasks"]
    assert found["deletion_id"] == task["id"]


def delete_as_before(database: str, user: User, task_id: str) -> str:
    """Delete a task as a release before 0.4.0 does, which knows no deletions; return its id."""
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE accounts SET revision = revision + 1 WHERE user_id = %s", [user.id])
        connection.execute(
            "UPDATE tasks SET deleted_at = now(), updated_at = now(), revision = revision + 1 WHERE id = %s", [task_id]
        )
    return task_id


def test_restoring_never_sets_updated_at_back(database: str, ada: User) -> None:
    task = ada.create()
    ada.delete(task["id"])
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE tasks SET updated_at = '2100-01-01 00:00+00' WHERE id = %s", [task["id"]])
    assert restore(ada, task["id"])["updated_at"] == "2100-01-01T00:00:00Z"
