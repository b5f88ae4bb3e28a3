"""Reopening a completed occurrence takes the completion back, unless the series has moved on."""

from typing import Any
from uuid import UUID

import pytest

from tests.support.batches import run
from tests.support.client import Json, User
from tests.support.concurrency import together
from tests.support.lists import create_list
from tests.support.recurrence import DAILY, MONTHLY, NO_SERIES, complete, following, reopen, skip

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


def moved(user: User, task: Json) -> None:
    """Move the next occurrence behind another task."""
    user.create()
    assert user.request("POST", f"/tasks/{task['id']}/move", json={"at": "last"}).status_code == 200


def skipped(user: User, task: Json) -> None:
    """Skip the next occurrence."""
    assert skip(user, task).status_code == 200


def trashed(user: User, task: Json) -> None:
    """Move the next occurrence to the trash."""
    assert user.delete(task["id"]).status_code == 204


def completed(user: User, task: Json) -> None:
    """Complete the next occurrence."""
    complete(user, task)


@pytest.mark.parametrize("change", [changed, moved, skipped, trashed, completed])
def test_a_series_that_has_moved_on_is_left_as_it_is(ada: User, change: Any) -> None:
    task = recurring(ada)
    change(ada, following(ada, task))
    done, revision = ada.read(task), ada.revision()
    for response in (reopen(ada, task), ada.put(task["id"], {"title": task["title"], "due_date": task["due_date"]})):
        assert problem(response) == (409, "series-moved-on")
        assert "keep_next=true" in response.json()["detail"]
    assert (ada.read(task), ada.revision()) == (done, revision)


def changed_back(user: User, later: Json) -> None:
    """Change the next occurrence, and change it back."""
    changed(user, later)
    user.patch(later["id"], {"title": later["title"]})


def retagged(user: User, later: Json) -> None:
    """Rename a tag of both occurrences."""
    assert later["tags"] == ["home"]
    assert user.request("PATCH", "/tags", params={"name": "home"}, json={"name": "house"}).status_code == 200


def restored(user: User, later: Json) -> None:
    """Delete the next occurrence, and restore it."""
    trashed(user, later)
    assert user.request("POST", f"/trash/{later['id']}/restore").status_code == 200


def completed_and_reopened(user: User, later: Json) -> None:
    """Complete the next occurrence, and take that back."""
    complete(user, later)
    assert reopen(user, later).status_code == 200


@pytest.mark.parametrize("unchanged", [changed_back, retagged, restored, completed_and_reopened])
@pytest.mark.parametrize("missed", ["skip", "keep"])
def test_a_next_occurrence_that_is_as_it_was_created_is_removed(ada: User, unchanged: Any, missed: str) -> None:
    task = ada.create(due_date="2020-01-31", recurrence=MONTHLY | {"count": 9, "missed": missed}, tags=["home"])
    later = following(ada, task)
    unchanged(ada, later)
    tags = ada.read(task)["tags"]
    assert without_stamps(reopen(ada, task).json()) == without_stamps(task) | {"tags": tags}
    assert ada.get(f"/tasks/{later['id']}").status_code == 404
    assert ada.get("/tasks").json()["total"] == 1


def test_completions_are_taken_back_one_by_one(ada: User) -> None:
    tasks = [recurring(ada)]
    for _ in range(4):
        tasks.append(following(ada, tasks[-1]))
    for task in reversed(tasks[:-1]):
        assert without_stamps(reopen(ada, task).json()) == without_stamps(task)
    assert ada.get("/tasks").json()["total"] == 1


def test_reopening_from_many_devices_at_once_removes_what_has_been_written_once(ada: User) -> None:
    for _ in range(5):
        task = recurring(ada)
        completed_and_reopened(ada, following(ada, task))
        before = ada.revision()
        assert together(lambda _: reopen(ada, task).status_code, 10) == [200] * 10  # noqa: B023 - at once
        assert ada.revision() == before + 2


@pytest.mark.parametrize("is_in_list", [False, True])
def test_reopening_into_another_list_says_that_the_series_has_moved_on(ada: User, is_in_list: bool) -> None:
    there, elsewhere = create_list(ada)["id"], create_list(ada)["id"]
    task = recurring(ada, list_id=there if is_in_list else None)
    changed(ada, following(ada, task))
    for list_id in (elsewhere, None if is_in_list else there):
        response = ada.patch(task["id"], {"completed": False, "list_id": list_id})
        assert problem(response) == (409, "series-moved-on")
    assert ada.request("DELETE", f"/lists/{elsewhere}").status_code == 204
    response = ada.patch(task["id"], {"completed": False, "list_id": elsewhere})
    assert problem(response) == (409, "no-such-list")


def test_a_put_takes_completions_back_too(ada: User) -> None:
    task = recurring(ada)
    completed_and_reopened(ada, following(ada, task))
    assert without_stamps(ada.put(task["id"], task).json()) == without_stamps(task)
    assert ada.get("/tasks").json()["total"] == 1


def test_an_occurrence_without_a_count_that_was_skipped_is_not_as_it_was(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=DAILY)
    skipped(ada, following(ada, task))
    assert problem(reopen(ada, task)) == (409, "series-moved-on")


def test_what_was_completed_again_later_is_not_taken_back(ada: User) -> None:
    task = recurring(ada)
    later = following(ada, task)
    completed_and_reopened(ada, later)
    complete(ada, later)
    assert problem(reopen(ada, task)) == (409, "series-moved-on")


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


def test_with_keep_next_the_task_may_become_a_subtask_at_once(ada: User) -> None:
    parent, update = ada.create(), {"op": "update", "keep_next": True}
    for number in range(3):
        task = recurring(ada)
        complete(ada, task)
        changes = {"completed": False, "parent_id": parent["id"]}
        if number == 0:
            ada.patch(task["id"], changes, params={"keep_next": "true"})
        elif number == 1:
            ada.put(task["id"], {**task, **changes}, params={"keep_next": "true"})
        else:
            run(ada, {**update, "id": task["id"], "changes": changes})
        reopened = ada.read(task)
        assert reopened == reopened | changes | NO_SERIES


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
