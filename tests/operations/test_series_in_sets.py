"""Batches and bulk updates complete and reopen recurring tasks as single requests do."""

from typing import Any

import pytest

from tests.support.client import Json, User
from tests.support.recurrence import DAILY, MONTHLY, NO_SERIES, complete, following, reopen

STAMPS = {"updated_at", "revision"}


def recurring(user: User, number: int = 1, **members: Any) -> list[Json]:
    """Create recurring tasks."""
    return [user.create(f"Task {one}", due_date="2096-01-31", recurrence=MONTHLY, **members) for one in range(number)]


def update(task: Json, **members: Any) -> Json:
    """Return an operation that updates a task."""
    return {"op": "update", "id": task["id"], "changes": members}


def batch(user: User, *operations: Json, status: int = 200, **members: Any) -> list[Json]:
    """Run a batch, and return its results."""
    response = user.request("POST", "/batch", json={"operations": operations, **members})
    assert response.status_code == status, response.text
    results: list[Json] = response.json()["results"]
    return results


def bulk(user: User, members: Json, **params: Any) -> Any:
    """Update all tasks, and return the response."""
    return user.request("PATCH", "/tasks", json=members, params={"priority": "Medium", **params})


def without_stamps(task: Json) -> Json:
    """Return a task without what each write changes."""
    return {name: value for name, value in task.items() if name not in STAMPS}


def open_days(user: User) -> list[str]:
    """Return the due dates of the open tasks."""
    tasks = user.get("/tasks", params={"completed": "false", "sort_by": "due_date"}).json()["tasks"]
    return sorted(task["due_date"] for task in tasks)


def test_a_batch_completes_and_reopens(ada: User) -> None:
    one, two = recurring(ada, 2)
    results = batch(ada, update(one, completed=True), update(two, completed=True, title="Done"))
    done = [result["task"] for result in results]
    later = [ada.get(f"/tasks/{task['next_task_id']}").json() for task in done]
    assert [task["revision"] for task in [done[0], later[0], done[1], later[1]]] == [3, 4, 5, 6]
    assert [(task["title"], task["due_date"]) for task in later] == [("Task 0", "2096-02-29"), ("Done", "2096-02-29")]
    assert ada.read(one) == done[0]
    reopened = batch(ada, update(one, completed=False))[0]["task"]
    assert without_stamps(reopened) == without_stamps(one)
    assert ada.read(later[0])["status"] == 404
    assert ada.get("/trash").json()["tasks"] == []


def test_a_batch_creates_tasks_that_recur(ada: User) -> None:
    members = {"title": "t", "due_date": "2096-01-31", "recurrence": MONTHLY}
    results = batch(ada, {"op": "create", "task": members}, {"op": "create", "task": members | {"completed": True}})
    assert [result["task"]["revision"] for result in results] == [1, 2]
    assert ada.revision() == 3
    assert open_days(ada) == ["2096-01-31", "2096-02-29"]


def test_a_batch_refuses_to_reopen_what_has_moved_on_unless_told_to_keep_it(ada: User) -> None:
    (task,) = recurring(ada)
    ada.patch(following(ada, task)["id"], {"title": "Changed"})
    operation = update(task, completed=False)
    (result,) = batch(ada, operation, status=409)
    assert (result["status"], result["problem"]["type"].rpartition(":")[2]) == (409, "series-moved-on")
    (result,) = batch(ada, operation | {"keep_next": True})
    assert {name: result["task"][name] for name in NO_SERIES} == NO_SERIES


def test_a_batch_takes_completions_back_one_by_one(ada: User) -> None:
    (task,) = recurring(ada)
    later = following(ada, task)
    complete(ada, later)
    results = batch(ada, update(later, completed=False), update(task, completed=False))
    assert [result["status"] for result in results] == [200, 200]
    assert open_days(ada) == [task["due_date"]]


def test_operations_of_a_batch_see_those_before_them(ada: User) -> None:
    (task,) = recurring(ada)
    later = following(ada, task)
    rename, undo = update(later, title="New"), update(task, completed=False)
    assert [result["status"] for result in batch(ada, rename, undo, status=409)] == [424, 409]
    assert [result["status"] for result in batch(ada, undo, rename, status=409)] == [424, 404]
    assert ada.read(later) == later


def test_a_rule_that_cannot_be_fails_its_operation(ada: User) -> None:
    task = ada.create(due_date="2096-02-01")
    operation = update(task, recurrence={"frequency": "yearly", "month_day": 30})
    headers = {"Idempotency-Key": "k"}
    body = {"mode": "independent", "operations": [operation, update(ada.create(), recurrence=DAILY)]}
    for _ in range(2):
        one, two = ada.request("POST", "/batch", json=body, headers=headers).json()["results"]
        assert one["status"] == one["problem"]["status"] == 400
        assert one["problem"]["errors"][0]["pointer"] == "/recurrence/month_day"
        assert two["problem"]["type"].rpartition(":")[2] == "no-due-date"


def test_a_base_may_have_the_rule_as_it_was_read(ada: User) -> None:
    (task,) = recurring(ada)
    rule = ada.patch(task["id"], {"recurrence": MONTHLY | {"until": "2097-01-31"}}).json()["recurrence"]
    operation = update(task, recurrence=DAILY) | {"base": {"recurrence": rule}}
    assert batch(ada, operation)[0]["task"]["recurrence"]["frequency"] == "daily"
    (result,) = batch(ada, operation | {"changes": {"recurrence": MONTHLY}}, status=409)
    assert result["problem"]["members"] == ["recurrence"]


def test_a_bulk_update_completes_recurring_tasks_after_the_others(ada: User) -> None:
    one, two = recurring(ada, 2, tags=["a", "b"])
    plain = ada.create()
    outcome = bulk(ada, {"completed": True, "add_tags": ["c", "a"], "remove_tags": ["b"]}).json()
    assert outcome == {"matched": 3, "changed": 3, "revision": 8}
    done = [ada.read(task) for task in (plain, one, two)]
    assert [task["revision"] for task in done] == [4, 5, 7]
    assert done[1]["tags"] == ["a", "c"]
    later = ada.get(f"/tasks/{done[1]['next_task_id']}").json()
    assert (later["revision"], later["title"], later["tags"], later["due_date"]) == (
        6,
        "Task 0",
        ["a", "c"],
        "2096-02-29",
    )
    assert open_days(ada) == ["2096-02-29"] * 2


def test_a_bulk_update_completes_tasks_once(ada: User) -> None:
    recurring(ada, 2)
    params = {"due_before": "2096-01-31"}
    assert bulk(ada, {"completed": True}, **params).json()["changed"] == 2
    assert bulk(ada, {"completed": True}, **params).json() == {"matched": 2, "changed": 0, "revision": 6}


def test_many_are_completed_in_portions(ada: User) -> None:
    operations = [
        {"op": "create", "task": {"title": "t", "due_date": "2096-01-31", "recurrence": MONTHLY}} for _ in range(100)
    ]
    for _ in range(3):
        batch(ada, *operations)
    assert bulk(ada, {"completed": True}).json() == {"matched": 300, "changed": 300, "revision": 900}
    assert ada.get("/tasks", params={"completed": "false"}).json()["total"] == 300


def test_a_bulk_update_reopens_tasks(ada: User) -> None:
    tasks = recurring(ada, 2)
    for task in tasks:
        complete(ada, task)
    outcome = bulk(ada, {"completed": False}, due_before="2096-01-31").json()
    assert outcome == {"matched": 2, "changed": 2, "revision": 10}
    assert [without_stamps(ada.read(task)) for task in tasks] == [without_stamps(task) for task in tasks]
    assert open_days(ada) == ["2096-01-31"] * 2


@pytest.mark.parametrize("has_key", [False, True])
def test_a_bulk_update_that_cannot_reopen_one_task_changes_none(ada: User, has_key: bool) -> None:
    one, two = recurring(ada, 2)
    complete(ada, one)
    ada.patch(following(ada, two)["id"], {"title": "Changed"})
    revision = ada.revision()
    params, headers = {"due_before": "2096-01-31", "priority": "Medium"}, {"Idempotency-Key": "k"} if has_key else {}
    response = ada.request("PATCH", "/tasks", json={"completed": False}, params=params, headers=headers)
    assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (409, "series-moved-on")
    assert ada.revision() == revision
    assert bulk(ada, {"completed": False}, due_before="2096-01-31", keep_next="true").json()["changed"] == 2
    assert open_days(ada) == ["2096-01-31", "2096-01-31", "2096-02-29", "2096-02-29"]


def test_a_dry_run_counts_the_tasks_and_creates_nothing(ada: User) -> None:
    recurring(ada, 2)
    assert bulk(ada, {"completed": True}, dry_run="true").json()["changed"] == 2
    assert ada.get("/tasks").json()["total"] == 2


def test_a_bulk_update_of_the_date_postpones(ada: User) -> None:
    (task,) = recurring(ada)
    bulk(ada, {"due_date": "2096-02-03"})
    assert ada.read(task)["occurrence_date"] == "2096-01-31"
    assert following(ada, task)["due_date"] == "2096-02-29"


def test_a_bulk_update_without_a_date_ends_the_series(ada: User) -> None:
    (task,) = recurring(ada)
    assert bulk(ada, {"due_date": None, "completed": True}).json() == {"matched": 1, "changed": 1, "revision": 2}
    assert {name: ada.read(task)[name] for name in NO_SERIES} == NO_SERIES
    assert reopen(ada, task).status_code == 200
