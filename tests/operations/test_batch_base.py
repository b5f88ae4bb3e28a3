"""`base` has the values that a client knows: an update conflicts only where one is neither the old nor the new one."""

from typing import Any

import pytest

from tests.support.batches import results, run, statuses, update
from tests.support.client import Json, User

OLD: dict[str, Any] = {
    "title": "old",
    "description": "old",
    "completed": False,
    "priority": "Low",
    "due_date": "2026-01-01",
    "tags": ["a", "b"],
}
NEW = {"title": "new", "description": None, "completed": True, "priority": "High", "due_date": None, "tags": ["c"]}


def conflict(user: User, *operations: Json) -> Json:
    """Send one operation that conflicts, and return its problem."""
    (result,) = results(user, *operations)
    assert (result["status"], result["problem"]["type"]) == (409, "urn:problem-type:todo-api:conflict")
    return result["problem"]


def test_two_devices_that_change_different_members_both_succeed(ada: User) -> None:
    task = ada.create(**OLD)
    run(ada, update(task["id"], base={"title": "old"}, title="new"))
    second = run(ada, update(task["id"], base={"completed": False, "tags": ["a", "b"]}, completed=True, tags=[]))
    merged = second["results"][0]["task"]
    assert (merged["title"], merged["completed"], merged["tags"]) == ("new", True, [])


@pytest.mark.parametrize("member", OLD)
def test_the_old_value_is_replaced(ada: User, member: str) -> None:
    task = ada.create(**OLD)
    done = run(ada, update(task["id"], base={member: OLD[member]}, **{member: NEW[member]}))
    assert done["results"][0]["task"][member] == NEW[member]


@pytest.mark.parametrize("member", OLD)
def test_the_new_value_is_no_conflict(ada: User, member: str) -> None:
    task = ada.create(**{**OLD, member: NEW[member]})
    done = run(ada, update(task["id"], base={member: OLD[member]}, **{member: NEW[member]}))
    assert (done["results"][0]["task"], done["revision"]) == (task, 1)


@pytest.mark.parametrize(
    ("member", "third"),
    [
        ("title", "third"),
        ("description", ""),
        ("priority", "Medium"),
        ("due_date", "2026-01-02"),
        ("tags", ["a"]),
        ("tags", ["b", "a"]),
        ("tags", ["a", "b", "c"]),
    ],
)
def test_any_other_value_is_a_conflict_that_names_the_member(ada: User, member: str, third: Json) -> None:
    task = ada.create(**{**OLD, member: third})
    problem = conflict(ada, update(task["id"], base={member: OLD[member]}, **{member: NEW[member]}))
    assert problem["members"] == [member]
    assert problem["task"] == task
    assert problem["detail"] == f"{member} has changed since the client read the task."


def test_completed_has_only_two_values_so_a_conflict_needs_a_mistaken_base(ada: User) -> None:
    task = ada.create(completed=True)
    assert conflict(ada, update(task["id"], base={"completed": False}, completed=False))["members"] == ["completed"]


def test_all_conflicting_members_are_named_and_only_those(ada: User) -> None:
    task = ada.create(**{**OLD, "tags": [], "title": "third"})
    problem = conflict(ada, update(task["id"], base=OLD, **NEW))
    assert problem["members"] == ["title", "tags"]
    assert problem["detail"] == "title and tags have changed since the client read the task."
    assert ada.get(f"/tasks/{task['id']}").json() == task


def test_members_outside_base_do_not_matter(ada: User) -> None:
    task = ada.create(**OLD)
    ada.patch(task["id"], {"description": "third", "tags": []})
    done = run(ada, update(task["id"], base={"title": "old", "priority": "Low"}, title="new", priority="High"))
    assert done["results"][0]["task"]["description"] == "third"


def test_text_is_compared_in_its_normal_form(ada: User) -> None:
    task = ada.create("Bu\u0308ro")
    assert run(ada, update(task["id"], base={"title": "Bu\u0308ro"}, title="b"))["revision"] == 2


def test_base_without_members_changes_nothing(ada: User) -> None:
    task = ada.create()
    assert statuses(run(ada, update(task["id"], base={}))["results"]) == [200]


def test_base_of_a_task_that_is_deleted_is_404(ada: User) -> None:
    task = ada.create("old")
    ada.request("DELETE", f"/tasks/{task['id']}")
    assert statuses(results(ada, update(task["id"], base={"title": "old"}, title="new"))) == [404]
