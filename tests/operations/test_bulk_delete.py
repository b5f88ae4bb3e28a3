"""DELETE of many tasks: all that match go to the trash, under one deletion id that brings them back."""

from typing import Any

import pytest

from tests.support.client import Json, User
from tests.support.many import has_account, insert_tasks, revisions
from tests.support.tasks import create_three
from tests.support.trash import undo
from tests.support.turns import one_after_the_other


def delete(user: User, query: str) -> Json:
    """Delete the tasks that match, and return the answer."""
    response = user.request("DELETE", f"/tasks?{query}")
    assert response.status_code == 200, response.text
    return response.json()


def is_deleted(user: User, task: Json) -> bool:
    """Return whether the task is no longer there."""
    return user.get(f"/tasks/{task['id']}").status_code == 404


@pytest.mark.parametrize(
    ("query", "deleted"),
    [
        ("search=MILK", "ab"),
        ("completed=false", "ac"),
        ("priority=High&priority=Low", "ab"),
        ("tags=home&tags=garden&tag_match=all", "c"),
        ("due_before=2026-11-24", "a"),
        ("due_after=2026-11-25", "b"),
        ("completed=false&tags=garden", "c"),
        ("tags=home", "abc"),
    ],
)
def test_the_tasks_that_match_every_filter_are_deleted_and_no_others(
    ada: User, grace: User, query: str, deleted: str
) -> None:
    hers, tasks = create_three(grace), create_three(ada)
    answer = delete(ada, query)
    number = len(deleted)
    assert answer == {
        "matched": number,
        "changed": number,
        "revision": 3 + number,
        "deletion_id": answer["deletion_id"],
    }
    assert "".join(name for name, task in tasks.items() if is_deleted(ada, task)) == deleted
    assert not any(is_deleted(grace, task) for task in hers.values())
    assert undo(ada, answer["deletion_id"])["changed"] == number
    assert not any(is_deleted(ada, task) for task in tasks.values())


def test_tasks_are_chosen_by_id(ada: User, grace: User) -> None:
    first, second, hers = ada.create(), ada.create(), grace.create()
    assert delete(ada, f"id={second['id']}&id={hers['id']}")["changed"] == 1
    assert [is_deleted(ada, first), is_deleted(ada, second), is_deleted(grace, hers)] == [False, True, False]


def test_where_nothing_is_deleted_there_is_no_deletion_id(database: str, ada: User, grace: User) -> None:
    task = grace.create()
    grace.request("DELETE", f"/tasks/{task['id']}")
    nothing: dict[str, Any] = {"matched": 0, "changed": 0, "deletion_id": None}
    assert delete(grace, f"id={task['id']}") == {**nothing, "revision": 2}
    assert delete(ada, "completed=false") == {**nothing, "revision": 0}
    assert delete(ada, "completed=false&dry_run=true") == {**nothing, "revision": 0}
    assert not has_account(database, ada)


def test_a_dry_run_counts_and_deletes_nothing(ada: User) -> None:
    task = ada.create()
    answer = delete(ada, "completed=false&dry_run=true")
    assert answer == {"matched": 1, "changed": 1, "revision": 1, "deletion_id": None}
    assert not is_deleted(ada, task)


def test_up_to_10000_tasks_are_deleted_and_none_if_there_are_more(database: str, ada: User, grace: User) -> None:
    insert_tasks(database, ada, 10_000, ["a"])
    answer = delete(ada, "tags=a")
    assert (answer["matched"], answer["changed"], answer["revision"]) == (10_000, 10_000, 20_000)
    assert revisions(database, ada) == [*range(10_001, 20_001)]
    insert_tasks(database, grace, 10_001, ["a"])
    response = grace.request("DELETE", "/tasks?tags=a")
    assert (response.status_code, response.json()["type"]) == (409, "urn:problem-type:todo-api:too-many")
    assert response.json()["detail"] == "More than 10,000 tasks match. Narrow the filters."
    assert delete(grace, "tags=a&dry_run=true") == {
        "matched": 10_001,
        "changed": 10_001,
        "revision": 10_001,
        "deletion_id": None,
    }
    assert revisions(database, grace) == [*range(1, 10_002)]


def test_a_task_that_is_created_while_the_request_waits_is_deleted(database: str, server: str, ada: User) -> None:
    old = ada.create("old")
    with User(server, ada.id) as other:
        new, answer = one_after_the_other(
            database, ada, lambda: other.create("new"), lambda: delete(ada, "completed=false")
        )
    assert (answer["changed"], answer["revision"]) == (2, 4)
    assert [is_deleted(ada, task) for task in (old, new)] == [True, True]
