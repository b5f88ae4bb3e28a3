"""A restored task stays with the subtasks that come back with it, also where there is no room for all of them."""

from collections.abc import Callable

import pytest

from tests.support import batches
from tests.support.client import Json, User
from tests.support.lists import create_list
from tests.support.many import insert_tasks
from tests.support.subtasks import create, family, now, subtasks_of
from tests.support.trash import restore, undo


def in_a_batch(user: User, task: Json) -> None:
    """Restore a task."""
    batches.run(user, batches.restore(task["id"]))


def by_its_deletion(user: User, task: Json) -> None:
    """Restore what was deleted with a task."""
    deleted = {one["id"]: one["deletion_id"] for one in user.get("/trash").json()["tasks"]}
    undo(user, deleted[task["id"]])


def alone(user: User, task: Json) -> None:
    """Restore a task by a request of its own."""
    restore(user, task["id"])


each_way = pytest.mark.parametrize("bring_back", [alone, in_a_batch, by_its_deletion])
Restore = Callable[[User, Json], None]


def delete(user: User, task: Json) -> None:
    """Delete a task and its subtasks."""
    assert user.delete(task["id"]).status_code == 204


def delete_tagged(user: User, *tasks: Json) -> str:
    """Delete these tasks, their subtasks and all others that are tagged, and return the deletion."""
    for task in tasks:
        # Of those on one level, the last one is restored first, and these would be the very last.
        assert user.patch(task["id"], {"tags": ["a"], "position": "0"}).status_code == 200
    return str(user.request("DELETE", "/tasks", params={"tags": "a"}).json()["deletion_id"])


def move_under_another(user: User, task: Json) -> None:
    """Move a task from the first level to the second, and so its subtasks to the third."""
    assert user.patch(task["id"], {"parent_id": create(user, title="above")["id"]}).status_code == 200


def at_the_top(user: User) -> list[str]:
    """Return the titles of the tasks without a parent in their order."""
    return user.titles(parent_id="none", sort_by="position", sort_direction="asc")


@each_way
def test_a_task_without_subtasks_fits_on_the_third_level(ada: User, bring_back: Restore) -> None:
    top = create(ada, title="top")
    child = create(ada, top)
    delete(ada, child)
    move_under_another(ada, top)
    bring_back(ada, child)
    assert now(ada, child)["parent_id"] == top["id"]


@each_way
def test_a_task_whose_subtasks_do_not_fit_comes_back_with_them_first_in_the_inbox(
    ada: User, bring_back: Restore
) -> None:
    top = create(ada, title="top", list_id=create_list(ada)["id"])
    child = create(ada, top, "child")
    for title in ("a", "b", "c"):
        create(ada, child, title)
    delete(ada, child)
    move_under_another(ada, top)
    bring_back(ada, child)
    assert at_the_top(ada) == ["child", "above"]
    back = now(ada, child)
    assert (back["parent_id"], back["list_id"]) == (None, None)
    below = subtasks_of(ada, child)
    assert [one["title"] for one in below] == ["a", "b", "c"]
    assert {one["list_id"] for one in below} == {None}


@each_way
def test_subtasks_that_do_not_come_back_need_no_room(ada: User, bring_back: Restore) -> None:
    top, child, deleted_before = family(ada)
    erased = create(ada, child)
    delete(ada, deleted_before)
    delete(ada, child)
    assert ada.request("DELETE", f"/trash/{erased['id']}").status_code == 204
    move_under_another(ada, top)
    bring_back(ada, child)
    assert now(ada, child)["parent_id"] == top["id"]


def test_of_several_tasks_each_one_stays_with_its_subtasks(ada: User) -> None:
    top = create(ada, title="top")
    fit, first, last = (create(ada, top, title) for title in ("fits", "first", "last"))
    below = [create(ada, one) for one in (first, last)]
    deletion = ada.request("DELETE", "/tasks", params={"parent_id": top["id"]}).json()["deletion_id"]
    move_under_another(ada, top)
    undo(ada, deletion)
    assert now(ada, fit)["parent_id"] == top["id"]
    assert at_the_top(ada) == ["first", "last", "above"]
    assert [now(ada, one)["parent_id"] for one in below] == [first["id"], last["id"]]


def test_a_task_waits_for_its_subtasks_at_the_top_if_they_are_restored_by_a_later_request(
    database: str, ada: User
) -> None:
    insert_tasks(database, ada, 999, ["a"])
    top, child, grandchild = family(ada)
    deletion = delete_tagged(ada, child)
    move_under_another(ada, top)
    assert undo(ada, deletion)["has_more"] is True
    assert now(ada, child)["parent_id"] is None
    assert undo(ada, deletion)["has_more"] is False
    assert now(ada, grandchild)["parent_id"] == child["id"]


def test_parents_are_restored_before_their_subtasks(database: str, ada: User) -> None:
    insert_tasks(database, ada, 998, ["a"])
    top, child, grandchild = family(ada)
    deletion = delete_tagged(ada, top, child)
    assert undo(ada, deletion)["has_more"] is True
    assert now(ada, child)["parent_id"] == top["id"]
    assert undo(ada, deletion)["has_more"] is False
    assert now(ada, grandchild)["parent_id"] == child["id"]
