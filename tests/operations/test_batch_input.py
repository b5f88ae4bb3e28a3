"""Invalid batches: one 400 with every error, each with a pointer into the batch, and nothing is written."""

from uuid import uuid4

import httpx
import pytest

from tests.support.batches import create, delete, send, update
from tests.support.client import Json, User
from tests.support.tasks import FULL

ID = "01a207b0-58d6-7c52-9f0e-3d2a8f6b7c41"


def errors(response: httpx.Response) -> dict[str, str]:
    """Return the details of a 400 by their pointers."""
    assert response.status_code == 400, response.text
    found = response.json()["errors"]
    assert {one["in"] for one in found} == {"body"}
    by_pointer = {one["pointer"]: one["detail"] for one in found}
    assert len(by_pointer) == len(found)
    return by_pointer


@pytest.mark.parametrize("mode", ["atomic", "independent"])
def test_the_errors_of_all_operations_are_reported_with_pointers(ada: User, mode: str) -> None:
    operations = [
        create("fine", id=ID),
        {"op": "create", "task": {}},
        update("no-uuid", title="", tags=["a", "a"]),
        {"op": "move", "id": str(uuid4())},
        {"id": str(uuid4())},
        [],
        {"op": "update", "id": str(uuid4()), "changes": {"title": "x" * 201, "colour": "red"}, "base": {"tags": [""]}},
        {"op": "delete", "id": ID, "if_revision": 0, "task": {}},
        {"op": "restore", "id": None, "if_revision": 1},
        {"op": "replace", "id": str(uuid4()), "task": {"title": None}},
        "text",
    ]
    assert errors(send(ada, *operations, mode=mode)) == {
        "/operations/1/task/title": "is required",
        "/operations/2/id": "must be a UUID",
        "/operations/2/changes/title": "must not be empty",
        "/operations/2/changes/tags": "must not contain the same item twice",
        "/operations/3/op": "must be one of create, replace, update, delete, restore",
        "/operations/4/op": "is required",
        "/operations/5": "must be an object",
        "/operations/6/changes/title": "must have at most 200 characters",
        "/operations/6/changes/colour": "is not a recognised name",
        "/operations/6/base/tags/0": "must not be empty",
        "/operations/6/base/title": "is required, because it is in changes",
        "/operations/6/base/tags": "is not in changes",
        "/operations/7/id": "must not occur twice, and is also that of item 1",
        "/operations/7/if_revision": "must be at least 1",
        "/operations/7/task": "is not a recognised name",
        "/operations/8/id": "must be text, not null",
        "/operations/8/if_revision": "is not a recognised name",
        "/operations/9/task/title": "must be text, not null",
        "/operations/10": "must be an object",
    }
    assert ada.get("/tasks").headers["ETag"] == 'W/"0"'


def test_the_batch_itself_is_checked(ada: User) -> None:
    response = ada.request("POST", "/batch", json={"mode": "both", "operations": [], "extra": 1})
    assert errors(response) == {
        "/mode": "must be one of atomic, independent",
        "/operations": "must not be empty",
        "/extra": "is not a recognised name",
    }


def test_an_id_occurs_once_however_it_is_written(ada: User) -> None:
    other = str(uuid4())
    operations = create(id=ID), delete(other), update(ID.upper(), title="b"), create(), create(), delete(ID)
    assert errors(send(ada, *operations)) == {
        "/operations/2/id": "must not occur twice, and is also that of item 1",
        "/operations/5/id": "must not occur twice, and is also that of item 1",
    }


def test_base_has_exactly_the_members_of_changes(ada: User) -> None:
    known = {"title": "a", "due_date": None}
    assert errors(send(ada, update(ID, base=known, title="b", completed=True, tags=[]))) == {
        "/operations/0/base/completed": "is required, because it is in changes",
        "/operations/0/base/due_date": "is not in changes",
        "/operations/0/base/tags": "is required, because it is in changes",
    }


def test_base_cannot_be_combined_with_a_revision(ada: User) -> None:
    operation = update(ID, base={"title": "a"}, title="b", if_revision=1)
    assert errors(send(ada, operation)) == {"/operations/0/if_revision": "cannot be combined with base"}


def test_a_task_can_be_sent_back_as_it_was_read(ada: User) -> None:
    task = ada.create("old")
    for number, operation in enumerate(
        [
            {"op": "replace", "id": task["id"], "task": {**task, "title": "one"}},
            {"op": "update", "id": task["id"].upper(), "changes": {**task, "title": "two"}},
            {"op": "update", "id": task["id"], "changes": {**task, "title": "three"}, "base": changeable(task, "two")},
        ]
    ):
        response = send(ada, operation)
        assert response.status_code == 200, response.text
        assert response.json()["revision"] == number + 2


def changeable(task: Json, title: str) -> Json:
    """Return the members of a task that a client may change, with another title."""
    return {**{name: task[name] for name in (*FULL, "list_id", "parent_id", "recurrence")}, "title": title}


@pytest.mark.parametrize("op", ["replace", "update"])
def test_members_that_only_the_server_sets_must_be_those_of_the_task(ada: User, op: str) -> None:
    member = "task" if op == "replace" else "changes"
    operation: Json = {"op": op, "id": ID, member: {"title": "b", "id": str(uuid4()), "revision": "any"}}
    operation[member]["user_id"] = "grace"
    assert errors(send(ada, operation)) == {
        f"/operations/0/{member}/id": f"must be the same as the id beside {member}",
        f"/operations/0/{member}/user_id": "must be the same as in the path",
    }
