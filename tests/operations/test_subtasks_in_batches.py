"""Subtasks in a batch: each operation finds the tasks as those before it leave them."""

from itertools import permutations
from uuid import uuid4

import pytest

from tests.support.client import Json, User
from tests.support.lists import create_list
from tests.support.subtasks import create, family, is_there, now


def run(user: User, *operations: Json, mode: str = "atomic") -> list[Json]:
    """Run a batch of which nothing fails, and return the results."""
    response = user.request("POST", "/batch", json={"operations": operations, "mode": mode})
    assert response.status_code == 200, response.text
    found: list[Json] = response.json()["results"]
    return found


def failures(user: User, *operations: Json) -> list[str]:
    """Run independent operations, and return why each failed, or its status."""
    results = run(user, *operations, mode="independent")
    return [one["problem"]["type"].rsplit(":", 1)[1] if "problem" in one else str(one["status"]) for one in results]


def made(task_id: str, parent_id: str | None = None, **members: Json) -> Json:
    """Return an operation that creates a task."""
    parent = {"parent_id": parent_id} if parent_id else {}
    return {"op": "create", "id": task_id, "task": {"title": "A task", **parent, **members}}


def test_a_parent_may_be_one_that_an_earlier_operation_makes(ada: User) -> None:
    home = create_list(ada)["id"]
    top, child, grandchild, deeper = (str(uuid4()) for _ in range(4))
    results = run(ada, made(top, list_id=home), made(child, top), made(grandchild, child))
    assert [one["task"]["parent_id"] for one in results] == [None, top, child]
    assert {one["task"]["list_id"] for one in results} == {home}
    assert failures(ada, made(deeper, grandchild)) == ["too-deep"]
    ada.delete(top)
    assert not is_there(ada, {"id": grandchild})


def test_a_parent_that_only_a_later_operation_makes_is_not_there(ada: User) -> None:
    top, child = str(uuid4()), str(uuid4())
    assert failures(ada, made(child, top), made(top)) == ["no-such-parent", "201"]


def test_depth_and_circles_count_after_the_operations_before(ada: User) -> None:
    first, second, third, fourth = (create(ada)["id"] for _ in range(4))
    under = [
        {"op": "update", "id": one, "changes": {"parent_id": parent}}
        for one, parent in ((second, first), (first, second), (third, second), (fourth, third))
    ]
    assert failures(ada, *under) == ["200", "parent-cycle", "200", "too-deep"]


def test_a_list_that_is_not_the_parents_is_refused(ada: User) -> None:
    top = create(ada)["id"]
    home = create_list(ada)["id"]
    assert failures(ada, made(str(uuid4()), top, list_id=home)) == ["list-of-parent"]


def test_moving_deleting_and_restoring_take_subtasks_along(ada: User) -> None:
    home = create_list(ada)["id"]
    top, child, grandchild = family(ada)
    before = ada.revision()
    run(ada, {"op": "update", "id": top["id"], "changes": {"list_id": home}})
    assert {now(ada, one)["list_id"] for one in (top, child, grandchild)} == {home}
    assert ada.revision() == before + 3
    run(ada, {"op": "delete", "id": top["id"]}, {"op": "delete", "id": child["id"]})
    assert not any(is_there(ada, one) for one in (top, child, grandchild))
    run(ada, {"op": "restore", "id": top["id"]})
    assert now(ada, grandchild)["parent_id"] == child["id"]
    run(ada, {"op": "delete", "id": top["id"]})
    (result,) = run(ada, {"op": "restore", "id": child["id"]})
    assert (result["task"]["parent_id"], result["task"]["list_id"]) == (None, None)
    assert now(ada, grandchild)["list_id"] is None


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_tasks_that_one_batch_restores_stay_together_in_any_order(ada: User, order: tuple[int, ...]) -> None:
    tasks = family(ada)
    for task in reversed(tasks):
        ada.delete(task["id"])
    before = ada.revision()
    results = run(ada, *({"op": "restore", "id": tasks[number]["id"]} for number in order))
    assert ada.revision() == before + 3
    top, child, grandchild = (now(ada, task) for task in tasks)
    assert [one["parent_id"] for one in (top, child, grandchild)] == [None, top["id"], child["id"]]
    assert [one["task"] for one in results] == [(top, child, grandchild)[number] for number in order]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_they_stay_together_where_there_is_no_room_for_all_of_them(ada: User, order: tuple[int, ...]) -> None:
    top, child, grandchild = family(ada)
    for task in (grandchild, child):
        ada.delete(task["id"])
    run(ada, {"op": "update", "id": top["id"], "changes": {"parent_id": create(ada)["id"]}})
    run(ada, *({"op": "restore", "id": (child, grandchild)[number]["id"]} for number in order))
    assert [now(ada, one)["parent_id"] for one in (child, grandchild)] == [None, child["id"]]


def test_subtasks_that_are_named_before_the_task_they_went_with_stay_with_it(ada: User) -> None:
    home = create_list(ada)["id"]
    top = create(ada, list_id=home)
    first, last = create(ada, top), create(ada, top)
    below = create(ada, first)
    ada.delete(top["id"])
    run(ada, *({"op": "restore", "id": task["id"]} for task in (last, below, top)))
    assert [now(ada, one)["parent_id"] for one in (first, last, below)] == [top["id"], top["id"], first["id"]]
    assert {now(ada, one)["list_id"] for one in (top, first, last, below)} == {home}


def test_a_restored_task_does_not_wait_for_one_that_is_erased(ada: User) -> None:
    top, child, grandchild = family(ada)
    ada.delete(top["id"])
    assert ada.request("DELETE", f"/trash/{child['id']}").status_code == 204
    run(ada, *({"op": "restore", "id": task["id"]} for task in (grandchild, top)))
    assert now(ada, grandchild)["parent_id"] is None


def test_a_revision_from_before_the_batch_is_accepted_after_the_parent_has_moved(ada: User) -> None:
    home = create_list(ada)["id"]
    top, child, _ = family(ada)
    move = {"op": "update", "id": top["id"], "changes": {"list_id": home}}
    rename = {"op": "update", "id": child["id"], "changes": {"title": "new"}, "if_revision": child["revision"]}
    assert [one["status"] for one in run(ada, move, rename)] == [200, 200]
    assert now(ada, child)["list_id"] == home


def test_a_key_keeps_why_an_operation_failed(ada: User) -> None:
    body = {"operations": [made(str(uuid4()), str(uuid4()))], "mode": "independent"}
    answers = [ada.request("POST", "/batch", json=body, headers={"Idempotency-Key": "1"}) for _ in range(2)]
    problems = [answer.json()["results"][0]["problem"] for answer in answers]
    assert [one["type"].rsplit(":", 1)[1] for one in problems] == ["no-such-parent"] * 2
