"""PATCH is a JSON merge patch (RFC 7396): absent members are kept, null clears a member, and nothing else changes."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import Json, User
from tests.support.tasks import FULL, STAMPS, without


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", "Buy bread"),
        ("title", "Büy 🎉"),
        ("description", "One"),
        ("description", ""),
        ("description", None),
        ("priority", "Low"),
        ("priority", "Medium"),
        ("tags", []),
        ("tags", ["shopping", "home"]),
        ("tags", ["new", "home"]),
    ],
    ids=str,
)
def test_a_patch_changes_only_the_given_member(ada: User, member: str, value: Any, media_type: str) -> None:
    task = ada.create(**FULL)
    response = ada.patch(task["id"], {member: value}, headers={"Content-Type": media_type})
    assert response.status_code == 200
    changed = response.json()
    assert changed[member] == value
    assert without(changed, member, *STAMPS) == without(task, member, *STAMPS)
    assert changed["revision"] == task["revision"] + 1
    assert changed["updated_at"] > task["updated_at"]
    assert response.headers["ETag"] == f'"{changed["revision"]}"'
    assert ada.get(f"/tasks/{task['id']}").json() == changed


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
@pytest.mark.parametrize(
    ("members", "following"),
    [
        ({"due_date": "2027-01-01"}, {"due_at": "2027-01-01T17:30:00Z"}),
        ({"due_date": None}, {"due_time": None, "time_zone": None, "due_at": None}),
    ],
    ids=str,
)
def test_a_patch_of_the_date_moves_or_clears_the_time_with_it(
    ada: User, members: Json, following: Json, media_type: str
) -> None:
    task = ada.create(**FULL)
    changed = ada.patch(task["id"], members, headers={"Content-Type": media_type}).json()
    assert without(changed, *STAMPS) == {**without(task, *STAMPS), **members, **following}
    assert changed["revision"] == task["revision"] + 1
    assert ada.get(f"/tasks/{task['id']}").json() == changed


def test_several_members_change_in_one_revision(ada: User) -> None:
    task = ada.create(**FULL)
    members: dict[str, Any] = {
        "title": "Bread",
        "description": None,
        "completed": True,
        "priority": "Low",
        "due_date": None,
        "tags": [],
    }
    changed = ada.patch(task["id"], members).json()
    assert {name: changed[name] for name in members} == members
    assert changed["revision"] == task["revision"] + 1


def test_one_new_value_among_unchanged_ones_is_a_change(ada: User) -> None:
    task = ada.create(**FULL)
    changed = ada.patch(task["id"], {**FULL, "title": "Buy bread"}).json()
    assert (changed["title"], changed["revision"]) == ("Buy bread", task["revision"] + 1)


def test_a_patch_that_changes_nothing_keeps_the_etags_of_the_task_and_the_list(ada: User) -> None:
    task = ada.create(**FULL)
    before = ada.get("/tasks").headers["ETag"]
    response = ada.patch(task["id"], FULL)
    assert (response.json(), response.headers["ETag"]) == (task, f'"{task["revision"]}"')
    assert ada.get("/tasks").headers["ETag"] == before


def test_only_the_patched_task_changes(ada: User) -> None:
    other, task = ada.create("other"), ada.create("task")
    ada.patch(task["id"], {"title": "changed"})
    assert ada.get(f"/tasks/{other['id']}").json() == other


def test_completing_a_completed_task_keeps_its_completed_at(ada: User) -> None:
    task = ada.create(completed=True)
    assert task["completed_at"] == task["created_at"]
    assert ada.patch(task["id"], {"completed": True}).json() == task
    renamed = ada.patch(task["id"], {"completed": True, "title": "Renamed"}).json()
    assert renamed["completed_at"] == task["completed_at"]
    reopened = ada.patch(task["id"], {"completed": False}).json()
    assert reopened["completed_at"] is None
    again = ada.patch(task["id"], {"completed": True}).json()
    assert again["completed_at"] == again["updated_at"] > task["completed_at"]


def test_a_task_may_be_sent_as_it_was_read_with_some_members_changed(ada: User) -> None:
    task = ada.create(**FULL)
    response = ada.patch(task["id"], {**task, "completed": True})
    assert response.status_code == 200
    changed = response.json()
    assert changed["completed_at"] == changed["updated_at"] > task["updated_at"]
    assert without(changed, "completed", "completed_at", *STAMPS) == without(task, "completed", "completed_at", *STAMPS)
    assert changed["revision"] == task["revision"] + 1


def test_a_task_sent_as_it_was_read_changes_nothing(ada: User) -> None:
    task = ada.create(**{**FULL, "completed": True})
    response = ada.patch(task["id"], task)
    assert (response.status_code, response.json()) == (200, task)


@pytest.mark.parametrize("member", ["completed_at", "created_at", "updated_at", "revision"])
@pytest.mark.parametrize("value", ["2001-01-01T00:00:00+00:00", 7, "x", None, [], {"id": 1}], ids=str)
def test_the_value_of_a_read_only_member_is_ignored(ada: User, member: str, value: Any) -> None:
    task = ada.create(**FULL)
    assert ada.patch(task["id"], {member: value}).json() == task
    changed = ada.patch(task["id"], {member: value, "title": "changed"}).json()
    assert changed["revision"] == task["revision"] + 1
    assert without(changed, "title", *STAMPS) == without(task, "title", *STAMPS)
    assert changed["updated_at"] > task["updated_at"]


def test_an_id_may_be_written_in_upper_case_in_the_path_and_in_the_body(ada: User) -> None:
    task = ada.create(**FULL)
    upper = task["id"].upper()
    for in_path, in_body in ((upper, task["id"]), (task["id"], upper), (upper, upper)):
        assert ada.patch(in_path, {"id": in_body}).json() == task


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("id", "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41", "must be the same as in the path"),
        ("id", "x", "must be a UUID"),
        ("id", "x" * 37, "must be a UUID"),
        ("id", "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41\n", "must be a UUID"),
        ("id", 1, "must be text"),
        ("id", None, "must be text, not null"),
        ("id", ["x"], "must be text"),
        ("user_id", "grace", "must be the same as in the path"),
        ("user_id", 1, "must be text"),
        ("user_id", None, "must be text, not null"),
    ],
    ids=str,
)
def test_an_id_other_than_that_in_the_path_is_rejected(ada: User, member: str, value: Any, words: str) -> None:
    task = ada.create(**FULL)
    response = ada.patch(task["id"], {**task, "title": "changed", member: value})
    assert response.status_code == 400
    assert response.json()["errors"] == [{"in": "body", "pointer": f"/{member}", "detail": words}]
    assert ada.get(f"/tasks/{task['id']}").json() == task


def test_another_id_is_reported_together_with_all_other_errors(ada: User) -> None:
    task = ada.create(**FULL)
    response = ada.patch(task["id"], {"title": "", "id": str(uuid4()), "user_id": "grace", "foo": 1})
    assert response.status_code == 400
    pointers = sorted(error["pointer"] for error in response.json()["errors"])
    assert pointers == ["/foo", "/id", "/title", "/user_id"]


def test_an_invalid_id_in_the_path_is_not_reported_for_the_body_too(ada: User) -> None:
    (error,) = ada.patch("not-a-uuid", {"id": str(uuid4())}).json()["errors"]
    assert (error["in"], error["name"]) == ("path", "task_id")


@pytest.mark.parametrize("member", ["deleted_at", "Title", "Id", "created_At", "foo"])
def test_an_unknown_member_is_rejected(ada: User, member: str) -> None:
    task = ada.create(**FULL)
    response = ada.patch(task["id"], {**task, "title": "changed", member: "x"})
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{member}"]
    assert ada.get(f"/tasks/{task['id']}").json() == task


@pytest.mark.parametrize("member", ["id", "user_id", "completed_at", "created_at", "updated_at", "revision"])
def test_a_new_task_has_no_read_only_members(ada: User, member: str) -> None:
    response = ada.request("POST", "/tasks", json={"title": "copy", member: ada.create(**FULL)[member]})
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{member}"]


def test_null_is_rejected_for_each_member_that_is_not_nullable(ada: User) -> None:
    task = ada.create(**FULL)
    response = ada.patch(task["id"], dict.fromkeys(FULL))
    assert response.status_code == 400
    never_null = {"/title", "/completed", "/priority", "/tags", "/position"}
    assert {error["pointer"] for error in response.json()["errors"]} == never_null
    assert ada.get(f"/tasks/{task['id']}").json() == task
