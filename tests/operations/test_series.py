"""A series lives as long as its open occurrence has a rule: what changes it, what ends it, and what leaves it alone."""

from typing import Any

import pytest

from tests.support.client import Json, User
from tests.support.recurrence import DAILY, MONTHLY, NO_SERIES, SERIES, complete, following, reopen

WEEKLY = {"frequency": "weekly", "interval": 1, "weekdays": ["monday"], "from": "due", "missed": "skip"}


def series_of(task: Any) -> dict[str, Any]:
    """Return what only a recurring task has."""
    return {name: task[name] for name in SERIES}


def test_a_patch_of_the_title_alone_leaves_everything_else_as_it_was(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", due_time="09:00", time_zone="Europe/Berlin", recurrence=MONTHLY)
    ada.patch(task["id"], {"due_date": "2096-02-03"})
    before = ada.read(task)
    after = ada.patch(task["id"], {"title": "New"}).json()
    assert after == before | {"title": "New", "revision": 3, "updated_at": after["updated_at"]}


def test_one_fault_in_a_rule_is_one_error(ada: User) -> None:
    for rule, place, words in (
        ({"frequency": "hourly"}, "frequency", "must be one of daily, weekly, monthly, yearly"),
        ({"frequency": "hourly", "weekdays": ["monday"]}, "frequency", "must be one of daily, weekly, monthly, yearly"),
        ({"frequency": "daily", "from": "x", "missed": "keep"}, "from", "must be one of due, completion"),
        ({"frequency": "daily", "interval": 1.5}, "interval", "must be a whole number"),
        ({"frequency": "daily", "interval": 0.5}, "interval", "must be a whole number"),
        (
            {"frequency": "monthly", "month_day": 32},
            "month_day",
            f"must be one of -1, {', '.join(map(str, range(1, 32)))}",
        ),
        (
            {"frequency": "monthly", "nth_weekday": {"nth": 6, "weekday": "friday"}},
            "nth_weekday/nth",
            "must be one of 1, 2, 3, 4, 5, -1",
        ),
    ):
        response = ada.request("POST", "/tasks", json={"title": "t", "due_date": "2096-01-31", "recurrence": rule})
        assert response.json()["errors"] == [{"in": "body", "pointer": f"/recurrence/{place}", "detail": words}]


def test_a_client_that_knows_no_recurrence_keeps_the_series_going(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    old = {name: task[name] for name in ("title", "description", "completed", "priority", "due_date", "tags")}
    assert ada.put(task["id"], old).json() == task
    renamed = ada.put(task["id"], old | {"title": "New", "due_date": "2096-02-03"}).json()
    assert series_of(renamed) == series_of(task)
    done = ada.put(task["id"], old | {"title": "New", "completed": True}).json()
    assert ada.get(f"/tasks/{done['next_task_id']}").json()["due_date"] == "2096-02-29"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_whole_task_that_is_sent_back_changes_nothing(ada: User, method: str) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY | {"until": "2097-01-01"})
    ada.patch(task["id"], {"due_date": "2096-02-03"})
    task = ada.read(task)
    assert ada.request(method, f"/tasks/{task['id']}", json=task).json() == task
    done = complete(ada, task)
    assert ada.request(method, f"/tasks/{task['id']}", json=done).json() == done
    assert ada.revision() == 4


def test_a_rule_is_replaced_as_a_whole(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY | {"month_day": 15, "count": 3})
    changed = ada.patch(task["id"], {"recurrence": {"frequency": "weekly", "weekdays": ["monday"]}}).json()
    assert changed["recurrence"] == WEEKLY


@pytest.mark.parametrize(
    ("rule", "next_day"),
    [
        (DAILY, "2096-02-04"),
        (MONTHLY | {"month_day": 31, "interval": 2}, "2096-02-29"),
        (MONTHLY | {"month_day": 31, "month_end": "skip"}, "2096-03-31"),
    ],
)
def test_another_rule_begins_anew_at_the_due_date(ada: User, rule: Json, next_day: str) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    ada.patch(task["id"], {"due_date": "2096-02-03"})
    changed = ada.patch(task["id"], {"recurrence": rule}).json()
    assert changed["series_id"] != task["series_id"]
    assert changed["occurrence_date"] == changed["due_date"] == "2096-02-03"
    assert following(ada, changed)["due_date"] == next_day


def test_a_new_end_leaves_the_schedule_as_it_is(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    ada.patch(task["id"], {"due_date": "2096-02-03"})
    changed = ada.patch(task["id"], {"recurrence": task["recurrence"] | {"count": 2}}).json()
    same = ("series_id", "occurrence_date")
    assert {name: changed[name] for name in same} == {name: task[name] for name in same}
    assert following(ada, changed)["due_date"] == "2096-02-29"


def test_a_rule_changed_with_an_open_and_a_completed_occurrence(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    later = following(ada, task)
    done = ada.patch(task["id"], {"recurrence": DAILY}).json()
    assert done["completed"]
    assert ada.read(later) == later
    assert ada.patch(later["id"], {"recurrence": DAILY}).json()["series_id"] not in (
        task["series_id"],
        done["series_id"],
    )
    assert ada.read(done) == done
    assert ada.get("/tasks").json()["total"] == 2


def test_a_new_rule_counts_for_the_completion_in_the_same_patch(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    assert following(ada, task, recurrence=DAILY)["due_date"] == "2096-02-01"


def test_a_task_begins_to_recur(ada: User) -> None:
    task = ada.create(due_date="2096-01-31")
    recurring = ada.patch(task["id"], {"recurrence": MONTHLY}).json()
    assert recurring["occurrence_date"] == "2096-01-31"
    assert following(ada, task)["due_date"] == "2096-02-29"


def test_it_cannot_recur_without_a_due_date(ada: User) -> None:
    task = ada.create()
    response = ada.patch(task["id"], {"recurrence": MONTHLY})
    assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (409, "no-due-date")
    assert ada.patch(task["id"], {"recurrence": MONTHLY, "due_date": None}).status_code == 400
    assert ada.patch(task["id"], {"recurrence": MONTHLY, "due_date": "2096-01-31"}).status_code == 200


def test_a_rule_must_go_with_the_date_that_the_task_has(ada: User) -> None:
    task = ada.create(due_date="2096-02-01")
    response = ada.patch(task["id"], {"recurrence": {"frequency": "yearly", "month_day": 30}})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/recurrence/month_day"


@pytest.mark.parametrize("members", [{"recurrence": None}, {"due_date": None}])
def test_clearing_the_rule_or_the_date_ends_the_series(ada: User, members: dict[str, None]) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    assert series_of(ada.patch(task["id"], members).json()) == NO_SERIES
    assert complete(ada, task)["next_task_id"] is None
    put = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    assert series_of(ada.put(put["id"], {**put, **members, "recurrence": None}).json()) == NO_SERIES


def test_deleting_the_open_occurrence_ends_the_series_and_restoring_it_resumes_it(ada: User) -> None:
    task = following(ada, ada.create(due_date="2096-01-31", recurrence=MONTHLY))
    ada.delete(task["id"])
    assert ada.get("/tasks", params={"completed": "false"}).json()["total"] == 0
    restored = ada.request("POST", f"/trash/{task['id']}/restore").json()
    assert series_of(restored) == series_of(task)
    assert following(ada, restored)["due_date"] == "2096-03-31"


def test_a_completed_occurrence_with_another_rule_keeps_its_next_one_and_one_without_a_rule_does_not(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    later = following(ada, task)
    changed = ada.patch(task["id"], {"recurrence": DAILY}).json()
    assert changed["next_task_id"] == later["id"]
    assert changed["series_id"] != later["series_id"]
    assert series_of(ada.patch(task["id"], {"recurrence": None}).json()) == NO_SERIES
    assert ada.read(later) == later


def test_the_problem_of_a_series_that_has_moved_on_is_true_of_a_deleted_occurrence_too(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    ada.delete(following(ada, task)["id"])
    assert reopen(ada, task).json()["detail"] == (
        "The next occurrence and its subtasks are no longer what completing this task makes: they have been changed, "
        "completed or deleted since, or this task has been changed. Take that back first, or send keep_next=true to "
        "reopen the task outside of its series."
    )
    assert series_of(reopen(ada, task, params={"keep_next": "true"}).json()) == NO_SERIES


def test_an_occurrence_that_reopening_has_removed_does_not_come_back(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    removed = following(ada, task)
    reopen(ada, task)
    put = ada.put(removed["id"], {"title": "New"})
    detail = "The task with this id is deleted. Restore it if it is in the trash, or choose another id."
    assert (put.status_code, put.json()["detail"]) == (409, detail)
    assert ada.get("/trash").json()["tasks"] == []
    assert ada.request("POST", f"/trash/{removed['id']}/restore").status_code == 404


def test_deleting_history_leaves_the_series_alone(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    later = following(ada, task)
    ada.delete(task["id"])
    assert ada.read(later) == later
    ada.request("POST", f"/trash/{task['id']}/restore")
    assert reopen(ada, task).status_code == 200
    assert ada.get("/tasks").json()["total"] == 1


def test_a_bulk_deletion_creates_nothing_and_is_undone_as_a_whole(ada: User) -> None:
    task = following(ada, ada.create(due_date="2096-01-31", recurrence=MONTHLY))
    deleted = ada.request("DELETE", "/tasks", params={"due_after": "2096-01-01"}).json()
    assert (deleted["changed"], ada.get("/tasks").json()["total"]) == (2, 0)
    assert ada.request("POST", "/trash/restore", json={"deletion_id": deleted["deletion_id"]}).status_code == 200
    assert following(ada, task)["due_date"] == "2096-03-31"
