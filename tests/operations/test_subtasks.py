"""Subtasks: at most three levels, no circles, and a subtask is in its parent's list."""

from uuid import uuid4

import pytest

from tests.support.client import Json, User
from tests.support.lists import create_list
from tests.support.subtasks import create, family, now, refused


def open_subtasks(user: User, task: Json, subtasks: str) -> Json:
    """Complete a task, and return the response."""
    return user.patch(task["id"], {"completed": True}, params={"subtasks": subtasks})


def ids(user: User, **query: str) -> list[str]:
    """Return the titles of the tasks that match."""
    response = user.get("/tasks", params=query | {"sort_by": "created_at", "sort_direction": "asc"})
    assert response.status_code == 200, response.text
    return [task["title"] for task in response.json()["tasks"]]


def test_a_task_has_no_parent_unless_it_gets_one(ada: User) -> None:
    top = create(ada)
    assert top["parent_id"] is None
    assert create(ada, top)["parent_id"] == top["id"]


def test_a_subtask_is_in_the_list_of_its_parent(ada: User) -> None:
    home = create_list(ada)["id"]
    top = create(ada, list_id=home)
    assert create(ada, top)["list_id"] == home
    assert create(ada, top, list_id=home)["list_id"] == home
    for other in (None, create_list(ada)["id"]):
        body = {"title": "A task", "parent_id": top["id"], "list_id": other}
        assert refused(ada.request("POST", "/tasks", json=body)) == "list-of-parent"
        assert refused(ada.put(str(uuid4()), body)) == "list-of-parent"
        assert refused(ada.patch(create(ada)["id"], {"parent_id": top["id"], "list_id": other})) == "list-of-parent"


@pytest.mark.parametrize("gone", [True, False])
def test_a_parent_that_is_not_there_is_refused(ada: User, gone: bool) -> None:
    parent_id = str(uuid4())
    if gone:
        parent_id = create(ada)["id"]
        ada.delete(parent_id)
    body = {"title": "A task", "parent_id": parent_id}
    assert refused(ada.request("POST", "/tasks", json=body)) == "no-such-parent"
    assert refused(ada.request("POST", "/tasks", json=body, headers={"Idempotency-Key": "1"})) == "no-such-parent"
    assert refused(ada.put(str(uuid4()), body)) == "no-such-parent"
    task = create(ada)
    assert refused(ada.patch(task["id"], {"parent_id": parent_id})) == "no-such-parent"
    assert now(ada, task) == task


def test_a_parent_of_another_user_is_not_there(server: str, ada: User) -> None:
    with User(server, f"not-{ada.id}") as bob:
        body = {"title": "A task", "parent_id": create(bob)["id"]}
    assert refused(ada.request("POST", "/tasks", json=body)) == "no-such-parent"


def test_there_are_at_most_three_levels(ada: User) -> None:
    top, child, grandchild = family(ada)
    body = {"title": "A task", "parent_id": grandchild["id"]}
    assert refused(ada.request("POST", "/tasks", json=body)) == "too-deep"
    assert refused(ada.put(str(uuid4()), body)) == "too-deep"
    assert refused(ada.patch(top["id"], {"parent_id": create(ada)["id"]})) == "too-deep"
    other = create(ada)
    assert ada.patch(child["id"], {"parent_id": other["id"]}).status_code == 200
    assert refused(ada.patch(other["id"], {"parent_id": top["id"]})) == "too-deep"


def test_a_task_is_never_below_itself(ada: User) -> None:
    top, child, grandchild = family(ada)
    for below in (top, child, grandchild):
        assert refused(ada.patch(top["id"], {"parent_id": below["id"]})) == "parent-cycle"
        assert refused(ada.put(top["id"], {"title": "top", "parent_id": below["id"]})) == "parent-cycle"
    chosen = str(uuid4())
    assert refused(ada.put(chosen, {"title": "A task", "parent_id": chosen})) == "parent-cycle"


def test_a_subtask_leaves_its_parent_and_keeps_its_list_and_subtasks(ada: User) -> None:
    home = create_list(ada)["id"]
    top = create(ada, list_id=home)
    child = create(ada, top)
    grandchild = create(ada, child)
    left = ada.patch(child["id"], {"parent_id": None}).json()
    assert (left["parent_id"], left["list_id"]) == (None, home)
    assert now(ada, grandchild) == grandchild


def test_a_subtask_leaves_its_parent_for_another_list(ada: User) -> None:
    home, work = create_list(ada)["id"], create_list(ada)["id"]
    child = create(ada, create(ada, list_id=home))
    grandchild = create(ada, child)
    left = ada.patch(child["id"], {"parent_id": None, "list_id": work}).json()
    assert (left["parent_id"], left["list_id"]) == (None, work)
    assert now(ada, grandchild)["list_id"] == work


@pytest.mark.parametrize("write", ["patch", "put"])
def test_subtasks_follow_their_parent_to_another_list_each_with_a_revision(ada: User, write: str) -> None:
    home = create_list(ada)["id"]
    top, child, grandchild = family(ada)
    before = ada.revision()
    moved = getattr(ada, write)(top["id"], {"title": "top", "list_id": home}).json()
    followed = [now(ada, child), now(ada, grandchild)]
    assert [one["list_id"] for one in (moved, *followed)] == [home] * 3
    assert sorted(one["revision"] for one in (moved, *followed)) == [before + 1, before + 2, before + 3]
    assert moved["revision"] == before + 1
    assert refused(ada.patch(child["id"], {"list_id": None})) == "list-of-parent"
    assert now(ada, child) == followed[0]
    assert ada.patch(child["id"], {"list_id": home, "title": "new"}).json()["title"] == "new"


def test_a_list_that_is_not_there_is_refused_for_a_family_too(ada: User) -> None:
    top, child, _ = family(ada)
    assert refused(ada.patch(top["id"], {"list_id": str(uuid4())})) == "no-such-list"
    assert now(ada, top) == top
    assert now(ada, child) == child


def test_a_task_that_moves_under_another_takes_its_subtasks_to_its_list(ada: User) -> None:
    home = create_list(ada)["id"]
    parent, task = create(ada, list_id=home), create(ada)
    child = create(ada, task)
    moved = ada.patch(task["id"], {"parent_id": parent["id"]}).json()
    assert (moved["list_id"], moved["parent_id"]) == (home, parent["id"])
    assert now(ada, child)["list_id"] == home


def test_a_replacement_without_a_parent_keeps_it(ada: User) -> None:
    _, child, _ = family(ada)
    assert ada.put(child["id"], {"title": "new"}).json()["parent_id"] == child["parent_id"]
    assert ada.put(child["id"], {"title": "new", "parent_id": None}).json()["parent_id"] is None


def test_a_write_that_changes_nothing_takes_no_revision(ada: User) -> None:
    top, child, _ = family(ada)
    assert ada.patch(child["id"], {"parent_id": top["id"]}).json() == child
    assert ada.patch(top["id"], {"list_id": None}).json() == top
    assert ada.put(child["id"], {"title": "child", "parent_id": top["id"]}).json() == child


def test_another_revision_is_reported_before_what_a_parent_does_not_allow(ada: User) -> None:
    top, child, _ = family(ada)
    stale = {"If-Match": '"0"'}
    assert ada.patch(top["id"], {"parent_id": child["id"]}, headers=stale).status_code == 412
    assert ada.patch(child["id"], {"parent_id": str(uuid4())}, headers=stale).status_code == 412
    assert ada.request("DELETE", f"/tasks/{top['id']}", headers=stale).status_code == 412


def test_open_subtasks_of_a_task_that_is_completed_already_are_completed_if_the_request_says_so(ada: User) -> None:
    top, child, _ = family(ada)
    done = open_subtasks(ada, top, "keep").json()
    assert open_subtasks(ada, top, "refuse").json() == done
    assert not now(ada, child)["completed"]
    assert open_subtasks(ada, top, "complete").json() == done
    assert now(ada, child)["completed"]


def test_a_task_that_is_not_there_is_not_found(ada: User) -> None:
    missing, top = str(uuid4()), create(ada)
    assert ada.patch(missing, {"parent_id": top["id"]}).status_code == 404
    assert ada.patch(missing, {"completed": True}, params={"subtasks": "complete"}).status_code == 404


def test_a_key_creates_one_subtask_even_if_its_parent_is_deleted_since(ada: User) -> None:
    top = create(ada)
    body, headers = {"title": "A task", "parent_id": top["id"]}, {"Idempotency-Key": "1"}
    first = ada.request("POST", "/tasks", json=body, headers=headers)
    again = ada.request("POST", "/tasks", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    ada.delete(top["id"])
    assert ada.request("POST", "/tasks", json=body, headers=headers).status_code == 410


def test_completing_a_parent_keeps_its_open_subtasks(ada: User) -> None:
    top, child, _ = family(ada)
    assert ada.patch(top["id"], {"completed": True}).json()["completed"]
    assert now(ada, child) == child
    assert create(ada, top)["parent_id"] == top["id"]


def test_completing_a_parent_completes_its_open_subtasks_each_with_a_revision(ada: User) -> None:
    top, child, grandchild = family(ada)
    done = ada.patch(create(ada, top)["id"], {"completed": True}).json()
    before = ada.revision()
    completed = open_subtasks(ada, top, "complete").json()
    below = [now(ada, child), now(ada, grandchild)]
    assert all(one["completed"] and one["completed_at"] for one in (completed, *below))
    assert completed["revision"] == before + 1
    assert [one["revision"] for one in below] == [before + 2, before + 3]
    assert now(ada, done) == done
    assert open_subtasks(ada, top, "complete").json() == completed
    assert ada.revision() == before + 3


def test_completing_a_parent_with_open_subtasks_is_refused_with_their_number(ada: User) -> None:
    top, child, grandchild = family(ada)
    response = open_subtasks(ada, top, "refuse")
    assert refused(response) == "open-subtasks"
    assert response.json()["open_subtasks"] == 2
    put = ada.put(top["id"], {"title": "top", "completed": True}, params={"subtasks": "refuse"})
    assert refused(put) == "open-subtasks"
    assert now(ada, top) == top
    for one in (grandchild, child, top):
        assert open_subtasks(ada, one, "refuse").status_code == 200


def test_a_child_completed_and_then_its_parent(ada: User) -> None:
    top = create(ada)
    child = create(ada, top)
    done = ada.patch(child["id"], {"completed": True}).json()
    assert open_subtasks(ada, top, "refuse").status_code == 200
    assert ada.patch(top["id"], {"completed": False}).status_code == 200
    assert now(ada, child) == done


def test_the_filter_finds_subtasks_and_tasks_at_the_top(ada: User) -> None:
    top, child, _ = family(ada)
    create(ada, title="other")
    assert ids(ada, parent_id="none") == ["top", "other"]
    assert ids(ada, parent_id=top["id"]) == ["child"]
    assert ids(ada, parent_id=str(uuid4())) == []
    response = ada.get(f"/tasks?parent_id=none&parent_id={child['id']}")
    assert {task["title"] for task in response.json()["tasks"]} == {"top", "other", "grandchild"}
    assert (
        ada.request("PATCH", "/tasks", params={"parent_id": top["id"]}, json={"priority": "High"}).json()["changed"]
        == 1
    )
