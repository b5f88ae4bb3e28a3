"""Each list and the inbox have an order of their own, and a task can be moved from one to a place in another."""

from uuid import UUID, uuid4

import pytest

from tests.support.arranging import create_each, move, moved
from tests.support.batches import restore, run
from tests.support.client import User
from tests.support.lists import create_list, delete_list


def order(user: User, list_id: str) -> str:
    """Return the titles of a list's tasks in their order, as one word."""
    return "".join(user.titles(list_id=list_id, sort_by="position", sort_direction="asc"))


def test_a_task_is_moved_within_its_list(ada: User) -> None:
    one = create_list(ada)
    for title in "abc":
        ada.create(title, list_id=one["id"])
        ada.create(title.upper())
    tasks = {task["title"]: task for task in ada.get("/tasks").json()["tasks"]}
    assert moved(ada, tasks["c"], at="first")["list_id"] == one["id"]
    moved(ada, tasks["A"], after=tasks["C"])
    assert (order(ada, one["id"]), order(ada, "inbox")) == ("cab", "BCA")
    before = ada.revision()
    assert moved(ada, tasks["B"], at="first") == tasks["B"]
    assert move(ada, tasks["a"], before=tasks["B"]).json()["type"] == "urn:problem-type:todo-api:no-such-anchor"
    assert ada.revision() == before


def test_a_task_is_moved_to_a_place_in_another_list_and_back(ada: User) -> None:
    one, tasks = create_list(ada), create_each(ada, "abc")
    for title in "ab":
        moved(ada, tasks[title], list_id=one)
    assert (order(ada, one["id"]), order(ada, "inbox")) == ("ab", "c")
    moved(ada, tasks["c"], list_id=one, before=tasks["b"])
    assert (order(ada, one["id"]), order(ada, "inbox")) == ("acb", "")
    assert moved(ada, tasks["a"], list_id=None)["list_id"] is None
    assert moved(ada, tasks["c"], list_id=None, at="first")["list_id"] is None
    assert (order(ada, one["id"]), order(ada, "inbox")) == ("b", "ca")


def test_a_task_that_an_update_puts_into_another_list_keeps_its_position(ada: User) -> None:
    one, tasks = create_list(ada), create_each(ada, "abc")
    for title in "ac":
        moved(ada, tasks[title], list_id=one, at="last")
    changed = ada.patch(tasks["b"]["id"], {"list_id": one["id"]}).json()
    assert changed["position"] == tasks["b"]["position"]
    assert order(ada, one["id"]) == "bac"


@pytest.mark.parametrize("wanted", ["list", "inbox"])
def test_an_anchor_in_another_list_is_missing(ada: User, wanted: str) -> None:
    one, tasks = create_list(ada), create_each(ada, "abc")
    moved(ada, tasks["a"], list_id=one)
    anchor = tasks["b" if wanted == "list" else "a"]
    refused = move(ada, tasks["c"], list_id=one if wanted == "list" else None, before=anchor)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem-type:todo-api:no-such-anchor")


def test_a_list_that_is_not_there_is_a_conflict(ada: User, grace: User) -> None:
    task, gone, other = ada.create(), create_list(ada), create_list(grace)
    delete_list(ada, gone)
    for one in (gone, other, {"id": str(uuid4())}):
        refused = move(ada, task, list_id=one)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem-type:todo-api:no-such-list")
    assert ada.read(task) == task


def test_a_list_whose_id_is_all_zeros_is_not_the_inbox(ada: User) -> None:
    nil, tasks = str(UUID(int=0)), create_each(ada, "abc")
    assert ada.request("PUT", f"/lists/{nil}", json={"name": "Zeros"}).status_code == 201
    moved(ada, tasks["b"], list_id={"id": nil})
    assert move(ada, tasks["c"], before=tasks["b"]).status_code == 409
    assert moved(ada, tasks["c"], after=tasks["a"])["revision"] == tasks["c"]["revision"]
    moved(ada, tasks["c"], list_id={"id": nil}, at="first")
    assert (order(ada, nil), order(ada, "inbox")) == ("cb", "a")


def test_a_tie_in_another_list_is_mended_there(ada: User) -> None:
    one, tasks = create_list(ada), create_each(ada, "abcd")
    for title in "abc":
        ada.patch(tasks[title]["id"], {"list_id": one["id"], "position": "k"})
    moved(ada, tasks["d"], list_id=one, after=tasks["a"])
    assert order(ada, one["id"]) == "adbc"


@pytest.mark.parametrize("way", ["task", "deletion", "batch"])
def test_what_is_restored_from_a_deleted_list_comes_first_in_the_inbox(ada: User, way: str) -> None:
    one, tasks = create_list(ada), create_each(ada, "abc")
    moved(ada, tasks["c"], list_id=one)
    moved(ada, tasks["b"], at="first")
    deletion_id = ada.request("DELETE", "/tasks", params={"id": tasks["c"]["id"]}).json()["deletion_id"]
    delete_list(ada, one)
    if way == "task":
        assert ada.request("POST", f"/trash/{tasks['c']['id']}/restore").json()["list_id"] is None
    elif way == "deletion":
        assert ada.request("POST", "/trash/restore", json={"deletion_id": deletion_id}).json()["changed"] == 1
    else:
        run(ada, restore(tasks["c"]["id"]))
    assert order(ada, "inbox") == "cba"
