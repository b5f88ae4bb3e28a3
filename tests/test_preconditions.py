"""Conditional requests (RFC 9110, section 13), and merge patches (RFC 7396) that change nothing."""

from tests.client import User


def test_a_patch_with_a_stale_revision_is_refused_with_the_current_task(ada: User) -> None:
    task = ada.create("first")
    newer = ada.patch(task["id"], {"title": "second"}, headers={"If-Match": '"1"'}).json()
    refused = ada.patch(task["id"], {"title": "third"}, headers={"If-Match": '"1"'})
    assert refused.status_code == 412
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["ETag"] == '"2"'
    assert refused.json()["task"] == newer == ada.get(f"/tasks/{task['id']}").json()
    assert ada.request("DELETE", f"/tasks/{task['id']}", headers={"If-Match": '"1"'}).status_code == 412
    assert ada.request("DELETE", f"/tasks/{task['id']}", headers={"If-Match": '"1", "2"'}).status_code == 204


def test_what_has_not_changed_is_a_304(ada: User) -> None:
    task = ada.create(tags=["a"])
    for path in ("/tasks", "/tags", f"/tasks/{task['id']}"):
        tag = ada.get(path).headers["ETag"]
        for current in (tag, f'"0", {tag}', "*", tag.removeprefix("W/")):
            response = ada.get(path, headers={"If-None-Match": current})
            assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
        assert ada.get(path, headers={"If-None-Match": '"0"'}).status_code == 200


def test_a_patch_that_changes_no_value_changes_nothing(ada: User) -> None:
    task = ada.create("same", description="d", tags=["a"])
    for members in ({}, {"title": "same"}, {"description": "d", "tags": ["a"], "completed": False, "due_date": None}):
        assert ada.patch(task["id"], members).json() == task


def test_completing_sets_completed_at_and_reopening_clears_it(ada: User) -> None:
    task = ada.create(description="d", due_date="2026-01-01")
    done = ada.patch(task["id"], {"completed": True}).json()
    assert done["completed_at"] == done["updated_at"] > task["updated_at"]
    reopened = ada.patch(task["id"], {"completed": False, "description": None, "due_date": None}).json()
    assert (reopened["completed_at"], reopened["description"], reopened["due_date"]) == (None, None, None)
    assert [task["revision"], done["revision"], reopened["revision"]] == [1, 2, 3]
    assert ada.patch(task["id"], {"title": None}).status_code == 400
