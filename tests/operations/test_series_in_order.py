"""The open occurrence of a series keeps its place in the user's order, and completed ones come right behind it."""

from typing import Any

import pytest

from tests.support.client import Json, User
from tests.support.recurrence import DAILY, complete, following, reopen


def titles(user: User) -> list[str]:
    """Return the due dates, or else the titles, of all tasks in the user's order."""
    tasks = user.get("/tasks", params={"sort_by": "position", "sort_direction": "asc"}).json()["tasks"]
    return [one["due_date"] or one["title"] for one in tasks]


@pytest.fixture
def task(ada: User) -> Json:
    """Return a daily task between two others."""
    ada.create(title="first")
    task = ada.create(due_date="2096-01-01", recurrence=DAILY)
    ada.create(title="last")
    return task


def test_the_next_occurrence_takes_the_place_of_the_completed_one(ada: User, task: Json) -> None:
    open_one = following(ada, following(ada, task))
    assert open_one["position"] == task["position"]
    assert titles(ada) == ["first", "2096-01-03", "2096-01-02", "2096-01-01", "last"]


def test_completion_in_sets_and_with_subtasks_keeps_the_place_too(ada: User, task: Json) -> None:
    ada.request("PATCH", "/tasks", params={"id": task["id"]}, json={"completed": True})
    open_one = ada.get("/tasks", params={"due_after": "2096-01-01"}).json()["tasks"][0]
    ada.create(title="subtask", parent_id=open_one["id"])
    update = {"op": "update", "id": open_one["id"], "changes": {"completed": True}}
    assert ada.request("POST", "/batch", json={"operations": [update]}).status_code == 200
    top = ada.get("/tasks", params={"sort_by": "position", "sort_direction": "asc", "parent_id": "none"}).json()
    assert [one["due_date"] for one in top["tasks"]] == [None, "2096-01-03", "2096-01-02", "2096-01-01", None]
    assert top["tasks"][1]["position"] == task["position"]


@pytest.mark.parametrize("whole", [False, True])
def test_reopening_gives_the_place_back(ada: User, task: Json, whole: bool) -> None:
    done = complete(ada, task)
    assert done["position"] != task["position"]
    reopened: Any = ada.patch(task["id"], done | {"completed": False}) if whole else reopen(ada, done)
    assert reopened.json()["position"] == task["position"]


def test_a_completed_occurrence_stays_where_it_has_been_moved(ada: User, task: Json) -> None:
    complete(ada, task)
    moved = ada.request("POST", f"/tasks/{task['id']}/move", json={"at": "first"}).json()
    assert reopen(ada, task).json()["position"] == moved["position"]
    assert titles(ada) == ["2096-01-01", "first", "last"]


def test_a_position_in_the_request_is_that_of_both(ada: User, task: Json) -> None:
    done = complete(ada, task, position="k")
    assert done["position"] == "k"
    assert ada.get(f"/tasks/{done['next_task_id']}").json()["position"] == "k"


def test_a_form_that_sends_the_whole_task_does_not_name_another_position(ada: User, task: Json) -> None:
    done = ada.put(task["id"], task | {"completed": True}).json()
    open_one = ada.get(f"/tasks/{done['next_task_id']}").json()
    assert open_one["position"] == task["position"] < done["position"]
    assert ada.put(task["id"], done | {"completed": False}).json()["position"] == task["position"]


@pytest.mark.parametrize("position", ["k" * 246, "k" * 247, "k" * 255])
def test_where_a_position_has_no_room_the_completed_one_keeps_it(ada: User, task: Json, position: str) -> None:
    ada.patch(task["id"], {"position": position})
    done = complete(ada, task)
    assert (done["position"] == position) == (len(position) > 246)
    assert len(done["position"]) <= 255
    assert reopen(ada, done).json()["position"] == position


def test_a_move_beside_the_open_one_changes_nothing_else(ada: User, task: Json) -> None:
    open_one = task
    for _ in range(9):
        open_one = following(ada, open_one)
    other, revision = ada.create(title="moved"), ada.revision()
    for spot in ({"before": open_one["id"]}, {"after": open_one["id"]}):
        assert ada.request("POST", f"/tasks/{other['id']}/move", json=spot).status_code == 200
    assert ada.revision() == revision + 2
    assert titles(ada)[1:3] == ["2096-01-10", "moved"]
