"""Undoing a deletion brings back what one request deleted and is still in the trash, 1,000 tasks at a time."""

from itertools import pairwise
from uuid import uuid4

import psycopg
import pytest

from tests.support.client import Json, User
from tests.support.lists import create_list
from tests.support.many import has_account, insert_tasks, revisions
from tests.support.trash import undo

STAMPS = ("updated_at", "revision")


def delete(user: User, query: str) -> str:
    """Delete the tasks that match, and return the deletion's id."""
    response = user.request("DELETE", f"/tasks?{query}")
    assert response.status_code == 200, response.text
    return str(response.json()["deletion_id"])


def answer(number: int, revision: int, *, has_more: bool = False) -> Json:
    """Return the answer to a request that restored this many tasks."""
    return {"matched": number, "changed": number, "revision": revision, "has_more": has_more}


def stored(database: str, user: User, column: str) -> set[str | None]:
    """Return the values of a column of the user's tasks, as text."""
    with psycopg.connect(database) as connection:
        statement = f"SELECT {column}::text FROM tasks WHERE user_id = %s"  # noqa: S608
        return {value for (value,) in connection.execute(statement.encode(), [user.id])}


def change(database: str, user: User, assignment: str) -> None:
    """Change all of the user's tasks in the database."""
    with psycopg.connect(database) as connection:
        connection.execute(f"UPDATE tasks SET {assignment} WHERE user_id = %s".encode(), [user.id])  # noqa: S608


def test_the_tasks_of_a_deletion_come_back_as_they_were_the_last_one_first(ada: User) -> None:
    tasks = [ada.create(title, tags=["b", "a"], completed=True, description="text") for title in ("a", "b", "c")]
    other = ada.create("other")
    ada.request("DELETE", f"/tasks/{other['id']}")
    deletion = delete(ada, "tags=a")
    assert undo(ada, deletion.upper()) == answer(3, 11)
    restored = [ada.get(f"/tasks/{task['id']}").json() for task in tasks]
    for task, now in zip(tasks, restored, strict=True):
        assert {name: now[name] for name in now.keys() - STAMPS} == {name: task[name] for name in task.keys() - STAMPS}
    assert [task["revision"] for task in restored] == [11, 10, 9]
    assert len({task["updated_at"] for task in restored}) == 1
    assert all(now["updated_at"] > task["updated_at"] for task, now in zip(tasks, restored, strict=True))
    assert ada.get(f"/tasks/{other['id']}").status_code == 404
    assert ada.get("/tags").json() == [{"name": "a", "usage_count": 3}, {"name": "b", "usage_count": 3}]


def test_repeating_it_or_an_unknown_deletion_restores_nothing_and_is_no_error(database: str, ada: User) -> None:
    assert undo(ada, str(uuid4())) == answer(0, 0)
    assert not has_account(database, ada)
    ada.create()
    deletion = delete(ada, "completed=false")
    assert undo(ada, deletion) == answer(1, 3)
    assert undo(ada, deletion) == answer(0, 3)
    assert ada.titles() == ["A task"]


def test_another_users_deletion_is_an_unknown_one(ada: User, grace: User) -> None:
    ada.create()
    grace.create()
    deletion = delete(grace, "completed=false")
    assert undo(ada, deletion) == answer(0, 1)
    assert grace.titles() == []
    assert undo(grace, deletion) == answer(1, 3)


def test_each_deletion_is_undone_by_itself(ada: User) -> None:
    first, second = ada.create("first"), ada.create("second")
    deletions = [delete(ada, f"id={task['id']}") for task in (first, second)]
    assert undo(ada, deletions[1]) == answer(1, 5)
    assert ada.titles() == ["second"]
    again = delete(ada, f"id={second['id']}")
    assert again not in deletions
    assert undo(ada, deletions[1]) == answer(0, 6)
    assert undo(ada, deletions[0]) == answer(1, 7)
    assert undo(ada, again) == answer(1, 8)


def test_a_single_deletion_is_undone_too(database: str, ada: User) -> None:
    task = ada.create()
    ada.request("DELETE", f"/tasks/{task['id']}")
    (deletion,) = stored(database, ada, "coalesce(deletion_id, id)")
    assert undo(ada, str(deletion)) == answer(1, 3)


def test_what_an_earlier_release_deleted_is_undone_by_the_tasks_own_id(database: str, ada: User) -> None:
    tasks = [ada.create(), ada.create()]
    delete(ada, "completed=false")
    change(database, ada, "deletion_id = NULL")
    assert undo(ada, tasks[0]["id"]) == answer(1, 5)
    assert undo(ada, tasks[1]["id"]) == answer(1, 6)


def test_erased_tasks_do_not_come_back(database: str, ada: User) -> None:
    ada.create()
    deletion = delete(ada, "completed=false")
    change(database, ada, "erased_at = now()")
    assert undo(ada, deletion) == answer(0, 2)


def test_a_task_that_lives_again_and_was_restored_from_the_trash_is_not_touched(database: str, ada: User) -> None:
    task, other = ada.create(), ada.create()
    deletion = delete(ada, "completed=false")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE tasks SET deleted_at = NULL WHERE id = %s", [task["id"]])
    assert undo(ada, deletion) == answer(1, 5)
    assert ada.get(f"/tasks/{task['id']}").json()["revision"] == 3
    assert ada.get(f"/tasks/{other['id']}").json()["revision"] == 5


def test_more_than_1000_tasks_are_restored_by_several_requests(database: str, ada: User) -> None:
    insert_tasks(database, ada, 2001, ["a"])
    deletion = delete(ada, "tags=a")
    assert undo(ada, deletion) == answer(1000, 5002, has_more=True)
    assert revisions(database, ada) == [*range(2002, 3003), *range(5002, 4002, -1)]
    assert undo(ada, deletion) == answer(1000, 6002, has_more=True)
    assert undo(ada, deletion) == answer(1, 6003)
    assert undo(ada, deletion) == answer(0, 6003)
    assert all(later == earlier - 1 for earlier, later in pairwise(revisions(database, ada)))


@pytest.mark.parametrize(
    "body", [{}, {"deletion_id": "x"}, {"deletion_id": None}, {"deletion_id": str(uuid4()), "x": 1}]
)
def test_an_invalid_body_is_rejected(ada: User, body: Json) -> None:
    assert ada.request("POST", "/trash/restore", json=body).status_code == 400


def test_the_path_is_not_that_of_a_task(ada: User) -> None:
    response = ada.request("DELETE", "/trash/restore")
    assert (response.status_code, response.headers["Allow"]) == (405, "OPTIONS, POST")


def test_subtasks_come_back_under_a_parent_that_is_newer_than_a_thousand_of_them(ada: User, database: str) -> None:
    insert_tasks(database, ada, 1001, [])
    list_id = create_list(ada)["id"]
    parent = ada.create("Parent", list_id=list_id)["id"]
    with psycopg.connect(database) as connection:
        put_under = "UPDATE tasks SET parent_id = %s, list_id = %s WHERE user_id = %s AND id <> %s"
        connection.execute(put_under, [parent, list_id, ada.id, parent])
        connection.execute("UPDATE tasks SET is_parent = true WHERE user_id = %s AND id = %s", [ada.id, parent])
    ada.delete(parent)
    (deletion,) = stored(database, ada, "deletion_id")
    assert [undo(ada, str(deletion))["changed"] for _ in range(2)] == [1000, 2]
    assert stored(database, ada, "list_id") == {list_id}
    assert stored(database, ada, "parent_id") == {parent, None}
    assert ada.get("/tasks", params={"parent_id": "none"}).json()["total"] == 1
