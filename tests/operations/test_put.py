"""PUT creates a task under an id that the client chooses, or replaces all its members, and can be repeated."""

from typing import Any
from uuid import UUID, uuid1, uuid4

import httpx
import pytest

from tests.support.client import Json, User
from tests.support.tasks import FULL

DONE = FULL | {"completed": True}
DEFAULTS: dict[str, Any] = {
    "description": None,
    "completed": False,
    "completed_at": None,
    "priority": "Medium",
    "due_date": None,
    "tags": [],
}


def put(user: User, task_id: str, title: str = "A task", **members: Any) -> Json:
    """Create or replace a task, and return it."""
    response = user.put(task_id, {"title": title, **members})
    assert response.status_code in (200, 201), response.text
    return response.json()


def trash(user: User, task_id: str) -> None:
    """Move a task to the trash."""
    assert user.delete(task_id).status_code == 204


def erase(user: User, task_id: str) -> None:
    """Move a task to the trash, and erase it."""
    trash(user, task_id)
    assert user.request("DELETE", f"/trash/{task_id}").status_code == 204


def problem(response: httpx.Response) -> tuple[int, str, str]:
    """Return the status, the kind and the detail of a problem."""
    return response.status_code, response.json()["type"].rpartition(":")[2], response.json()["detail"]


@pytest.mark.parametrize("task_id", [uuid4(), uuid1(), UUID(int=0), UUID(int=2**128 - 1)], ids=["4", "1", "nil", "max"])
def test_a_new_id_of_any_version_creates_a_task(ada: User, task_id: UUID) -> None:
    response = ada.put(str(task_id), DONE)
    assert response.status_code == 201
    task = response.json()
    assert {name: task[name] for name in DONE} == DONE
    assert (task["id"], task["user_id"], task["revision"]) == (str(task_id), ada.id, 1)
    assert task["completed_at"] == task["created_at"] == task["updated_at"]
    assert response.headers["Location"] == f"/api/{ada.id}/tasks/{task_id}"
    assert response.headers["ETag"] == '"1"'
    assert ada.get(f"/tasks/{task_id}").json() == task
    assert ada.titles() == ["Buy milk"]


def test_an_id_may_be_written_in_upper_case(ada: User) -> None:
    task_id = str(uuid4())
    task = ada.put(task_id.upper(), {"title": "A task", "id": task_id.upper()}).json()
    assert task["id"] == task_id
    assert put(ada, task_id) == task


def test_absent_members_get_their_defaults(ada: User) -> None:
    task = put(ada, str(uuid4()))
    assert {name: task[name] for name in DEFAULTS} == DEFAULTS
    full = put(ada, task["id"], **DONE)
    response = ada.put(task["id"], {"title": "A task"})
    assert response.status_code == 200
    kept = {"position": full["position"], "revision": 3, "updated_at": response.json()["updated_at"]}
    assert response.json() == task | kept
    assert task["updated_at"] < full["updated_at"] < response.json()["updated_at"]
    assert response.headers["ETag"] == '"3"'
    assert "Location" not in response.headers
    assert ada.get(f"/tasks/{task['id']}").json() == response.json()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", "Buy bread"),
        ("description", None),
        ("completed", False),
        ("priority", "Low"),
        ("due_date", "2026-11-25"),
        ("tags", ["shopping", "home"]),
    ],
)
def test_a_change_of_any_member_is_a_new_revision(ada: User, member: str, value: Any) -> None:
    task = put(ada, str(uuid4()), **DONE)
    changed = put(ada, task["id"], **DONE | {member: value})
    assert (changed[member], changed["revision"], changed["created_at"]) == (value, 2, task["created_at"])
    assert changed["updated_at"] > task["updated_at"]


def test_the_same_content_changes_nothing(ada: User) -> None:
    for members in (DONE, {"title": "Only a title"}):
        task = put(ada, str(uuid4()), **members)
        before = ada.revision()
        for again in (members, task, members | {"revision": 99, "updated_at": None, "created_at": "x"}):
            response = ada.put(task["id"], again)
            assert (response.status_code, response.json()) == (200, task)
            assert response.headers["ETag"] == f'"{task["revision"]}"'
        assert ada.revision() == before


def test_a_task_that_stays_completed_keeps_its_completed_at(ada: User) -> None:
    done = put(ada, str(uuid4()), completed=True)
    renamed = put(ada, done["id"], "Renamed", completed=True)
    assert renamed["completed_at"] == done["completed_at"] < renamed["updated_at"]
    assert put(ada, done["id"], "Renamed")["completed_at"] is None
    again = put(ada, done["id"], "Renamed", completed=True)
    assert again["completed_at"] == again["updated_at"] > done["completed_at"]


def test_put_replaces_a_task_that_the_server_gave_its_id(ada: User) -> None:
    task = ada.create(**DONE)
    changed = ada.put(task["id"], {**task, "title": "Buy bread"})
    assert changed.status_code == 200
    assert changed.json() == {
        **task,
        "title": "Buy bread",
        "revision": 2,
        "updated_at": changed.json()["updated_at"],
    }


def test_an_invalid_body_gets_every_error_and_writes_nothing(ada: User) -> None:
    task_id = str(uuid4())
    response = ada.put(task_id, {"title": " ", "priority": None, "foo": 1, "id": str(uuid4()), "user_id": "grace"})
    assert response.status_code == 400
    pointers = sorted(error["pointer"] for error in response.json()["errors"])
    assert pointers == ["/foo", "/id", "/priority", "/title", "/user_id"]
    (error,) = ada.put(task_id, {}).json()["errors"]
    assert error["pointer"] == "/title"
    (error,) = ada.put(task_id, {"title": "A task"}, headers={"If-None-Match": '"1"'}).json()["errors"]
    assert error == {"in": "header", "name": "If-None-Match", "detail": "must be *"}
    assert ada.get(f"/tasks/{task_id}").status_code == 404


def test_an_id_in_the_trash_or_erased_is_a_conflict(ada: User) -> None:
    for remove in (trash, erase):
        task = put(ada, str(uuid4()))
        remove(ada, task["id"])
        before = ada.revision()
        for headers in ({}, {"If-None-Match": "*"}):
            response = ada.put(task["id"], {"title": "A task"}, headers=headers)
            detail = "The task with this id is deleted. Restore it if it is in the trash, or choose another id."
            assert problem(response) == (409, "conflict", detail)
            assert "task" not in response.json()
        assert ada.revision() == before
        assert ada.get(f"/tasks/{task['id']}").status_code == 404


def test_if_none_match_creates_a_task_but_replaces_none(ada: User) -> None:
    task_id, headers = str(uuid4()), {"If-None-Match": "*"}
    created = ada.put(task_id, {"title": "first"}, headers=headers)
    assert created.status_code == 201
    for title in ("second", "first"):
        refused = ada.put(task_id, {"title": title}, headers=headers)
        assert problem(refused) == (412, "precondition-failed", "There is a task with this id already.")
        assert (refused.json()["task"], refused.headers["ETag"]) == (created.json(), '"1"')
    assert ada.get(f"/tasks/{task_id}").json() == created.json()


def test_if_match_replaces_only_the_named_revision(ada: User) -> None:
    task = put(ada, str(uuid4()), "first")
    assert ada.put(task["id"], {"title": "second"}, headers={"If-Match": '"1"'}).json()["revision"] == 2
    # Even the same content is rejected: its sender has seen another state of the task.
    for title in ("third", "second"):
        refused = ada.put(task["id"], {"title": title}, headers={"If-Match": '"1"'})
        assert problem(refused) == (412, "precondition-failed", "The task has changed.")
        assert (refused.json()["task"]["title"], refused.headers["ETag"]) == ("second", '"2"')
    for tags in ("*", '"1", "2"'):
        assert ada.put(task["id"], {"title": "second"}, headers={"If-Match": tags}).json()["revision"] == 2
    assert ada.put(task["id"], {"title": "third"}, headers={"If-Match": "*"}).json()["revision"] == 3
    weak = ada.put(task["id"], {"title": "fourth"}, headers={"If-Match": 'W/"3"'})
    detail = 'The entity tag W/"3" in If-Match is weak, so it never matches. Send "3" instead.'
    assert problem(weak) == (412, "precondition-failed", detail)


@pytest.mark.parametrize("if_match", ["*", '"1"', '"2"', '"1", "2"'])
def test_if_match_returns_412_without_a_task_where_there_is_none(ada: User, if_match: str) -> None:
    absent, trashed, erased = str(uuid4()), str(uuid4()), str(uuid4())
    for task_id, remove in ((trashed, trash), (erased, erase)):
        put(ada, task_id)
        remove(ada, task_id)
    before = ada.revision()
    for task_id in (absent, trashed, erased):
        refused = ada.put(task_id, {"title": "A task"}, headers={"If-Match": if_match})
        assert problem(refused) == (412, "precondition-failed", "There is no such task.")
        assert refused.json()["task"] is None
        assert "ETag" not in refused.headers
    assert ada.revision() == before


def test_a_request_with_both_preconditions_never_writes(ada: User) -> None:
    task, headers = put(ada, str(uuid4())), {"If-Match": '"1"', "If-None-Match": "*"}
    refused = ada.put(task["id"], {"title": "second"}, headers=headers)
    assert (refused.status_code, refused.json()["task"]) == (412, task)
    refused = ada.put(str(uuid4()), {"title": "second"}, headers=headers)
    assert (refused.status_code, refused.json()["task"]) == (412, None)
    assert ada.titles() == ["A task"]


def test_a_user_who_never_wrote_has_no_account_after_a_refusal(ada: User) -> None:
    assert ada.put(str(uuid4()), {"title": "A task"}, headers={"If-Match": "*"}).status_code == 412
    assert ada.revision() == 0
    assert put(ada, str(uuid4()))["revision"] == 1


def test_each_user_has_a_task_of_their_own_under_the_same_id(ada: User, grace: User) -> None:
    task_id = str(uuid4())
    hers = put(grace, task_id, "Grace's", tags=["secret"])
    for headers in ({"If-Match": "*"}, {"If-Match": '"1"'}):
        refused = ada.put(task_id, {"title": "Ada's"}, headers=headers)
        assert (refused.status_code, refused.json()["task"]) == (412, None)
    mine = ada.put(task_id, {"title": "Ada's"}, headers={"If-None-Match": "*"})
    assert (mine.status_code, mine.json()["revision"], mine.json()["tags"]) == (201, 1, [])
    assert grace.get(f"/tasks/{task_id}").json() == hers
    erase(grace, task_id)
    assert put(ada, task_id, "Ada's, changed")["revision"] == 2
