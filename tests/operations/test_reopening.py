"""Reopening a completed occurrence takes the completion back, unless the series has moved on."""

from typing import Any
from uuid import UUID

import pytest

from tests.support.client import Json, User
from tests.support.recurrence import DAILY, MONTHLY, NO_SERIES, complete, following, reopen

STAMPS = {"updated_at", "revision"}


def recurring(user: User, **members: Any) -> Json:
    """Create a recurring task."""
    return user.create(due_date="2096-01-31", recurrence=MONTHLY | {"count": 9}, **members)


def without_stamps(task: Json) -> Json:
    """Return a task without what each write changes."""
    return {name: value for name, value in task.items() if name not in STAMPS}


def problem(response: Any) -> tuple[int, str]:
    """Return the status and the kind of a problem."""
    return response.status_code, response.json()["type"].rpartition(":")[2]


def test_reopening_removes_the_next_occurrence_and_restores_this_one_exactly(ada: User) -> None:
    task = recurring(ada)
    token = ada.sync_token()
    done = complete(ada, task)
    reopened = reopen(ada, done).json()
    assert without_stamps(reopened) == without_stamps(task)
    assert (reopened["revision"], ada.revision()) == (4, 5)
    assert ada.get(f"/tasks/{done['next_task_id']}").status_code == 404
    changes = ada.get("/changes", params={"sync_token": token}).json()
    assert changes["tasks"] == [reopened]
    assert [one["id"] for one in changes["deleted"]] == [done["next_task_id"]]


def test_what_was_removed_is_not_in_the_trash(ada: User) -> None:
    done = complete(ada, recurring(ada))
    reopen(ada, done)
    assert ada.get("/trash").json()["tasks"] == []
    assert ada.request("POST", f"/trash/{done['next_task_id']}/restore").status_code == 404


def test_undo_after_postponing(ada: User) -> None:
    task = recurring(ada)
    postponed = ada.patch(task["id"], {"due_date": "2096-02-05"}).json()
    complete(ada, task)
    assert without_stamps(reopen(ada, task).json()) == without_stamps(postponed)


def test_completing_and_reopening_can_be_repeated(ada: User) -> None:
    task = recurring(ada)
    nexts = set()
    for _ in range(3):
        nexts.add(complete(ada, task)["next_task_id"])
        reopen(ada, task)
    assert len(nexts) == 3
    assert ada.get("/tasks").json()["total"] == 1


def test_reopening_works_after_the_completed_one_was_changed(ada: User) -> None:
    task = recurring(ada)
    complete(ada, task)
    ada.patch(task["id"], {"title": "Changed"})
    assert reopen(ada, task).status_code == 200
    assert ada.get("/tasks").json()["total"] == 1


def changed(user: User, task: Json) -> None:
    """Change the next occurrence."""
    assert user.patch(task["id"], {"title": "Changed"}).status_code == 200


def changed_and_changed_back(user: User, task: Json) -> None:
    """Change the next occurrence twice."""
    changed(user, task)
    user.patch(task["id"], {"title": task["title"]})


def trashed(user: User, task: Json) -> None:
    """Move the next occurrence to the trash."""
    assert user.delete(task["id"]).status_code == 204


def completed(user: User, task: Json) -> None:
    """Complete the next occurrence."""
    complete(user, task)


@pytest.mark.parametrize("change", [changed, changed_and_changed_back, trashed, completed])
def test_a_series_that_has_moved_on_is_left_as_it_is(ada: User, change: Any) -> None:
    task = recurring(ada)
    change(ada, following(ada, task))
    done, revision = ada.read(task), ada.revision()
    for response in (reopen(ada, task), ada.put(task["id"], {"title": task["title"], "due_date": task["due_date"]})):
        assert problem(response) == (409, "series-moved-on")
        assert "keep_next=true" in response.json()["detail"]
    assert (ada.read(task), ada.revision()) == (done, revision)


@pytest.mark.parametrize("change", [None, changed, trashed, completed])
def test_with_keep_next_the_task_leaves_the_series(ada: User, change: Any) -> None:
    task = recurring(ada)
    later = following(ada, task)
    if change:
        change(ada, later)
    kept, revision = ada.read(later), ada.revision()
    reopened = reopen(ada, task, params={"keep_next": "true"}).json()
    assert without_stamps(reopened) == without_stamps(task) | NO_SERIES | {"position": reopened["position"]}
    if change is not trashed:
        assert ada.read(later) == kept
    assert ada.revision() == reopened["revision"] == revision + 1
    assert complete(ada, reopened)["next_task_id"] is None


def test_the_last_occurrence_is_reopened_as_any_task(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=DAILY | {"count": 1})
    complete(ada, task)
    assert without_stamps(reopen(ada, task).json()) == without_stamps(task)
    assert ada.revision() == 3


def test_a_put_reopens_too(ada: User) -> None:
    task = recurring(ada)
    done = complete(ada, task)
    reopened = ada.put(task["id"], task).json()
    assert without_stamps(reopened) == without_stamps(task)
    assert ada.get(f"/tasks/{done['next_task_id']}").status_code == 404
    complete(ada, task)
    kept = ada.put(task["id"], {"title": "t", "due_date": task["due_date"]}, params={"keep_next": "true"}).json()
    assert {name: kept[name] for name in NO_SERIES} == NO_SERIES
    assert ada.get("/tasks").json()["total"] == 2


def test_if_match_is_checked(ada: User) -> None:
    task = recurring(ada)
    done = complete(ada, task)
    stale = {"If-Match": f'"{task["revision"]}"'}
    assert reopen(ada, task, headers=stale).status_code == 412
    assert complete_with(ada, task, stale) == 412
    assert reopen(ada, task, headers={"If-Match": f'"{done["revision"]}"'}).status_code == 200


def complete_with(user: User, task: Json, headers: dict[str, str]) -> int:
    """Complete a task with these headers, and return the status."""
    return int(user.patch(task["id"], {"completed": True}, headers=headers).status_code)


def test_the_id_of_what_was_removed_stays_taken(ada: User) -> None:
    done = complete(ada, recurring(ada))
    reopen(ada, done)
    assert UUID(done["next_task_id"])
    assert problem(ada.put(done["next_task_id"], {"title": "t"})) == (409, "conflict")
