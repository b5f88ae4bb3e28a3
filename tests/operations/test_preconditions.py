"""Conditional requests (RFC 9110, section 13), and merge patches (RFC 7396) that change nothing."""

from uuid import uuid4

import pytest

from tests.support.client import User


def test_a_stale_if_match_returns_412_with_the_current_task(ada: User) -> None:
    task = ada.create("first")
    newer = ada.patch(task["id"], {"title": "second"}, headers={"If-Match": '"1"'}).json()
    refused = ada.patch(task["id"], {"title": "third"}, headers={"If-Match": '"1"'})
    assert refused.status_code == 412
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["ETag"] == '"2"'
    assert refused.json()["detail"] == "The task has changed."
    assert refused.json()["task"] == newer == ada.get(f"/tasks/{task['id']}").json()
    assert ada.request("DELETE", f"/tasks/{task['id']}", headers={"If-Match": '"1"'}).status_code == 412
    assert ada.request("DELETE", f"/tasks/{task['id']}", headers={"If-Match": '"1", "2"'}).status_code == 204


def test_an_unchanged_resource_returns_304(ada: User) -> None:
    task = ada.create(tags=["a"])
    for path in ("/tasks", "/tags", f"/tasks/{task['id']}"):
        tag = ada.get(path).headers["ETag"]
        for current in (tag, f'"0", {tag}', "*", tag.removeprefix("W/"), f'"0",, {tag} ,', f", {tag}"):
            response = ada.get(path, headers={"If-None-Match": current})
            assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
        assert ada.get(path, headers={"If-None-Match": '"0"'}).status_code == 200


def test_a_patch_that_changes_no_value_leaves_the_task_untouched(ada: User) -> None:
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


@pytest.mark.parametrize(
    "named",
    ['W/"1"', '"0"', '"2"', '"01"', '"1 "', '""', '"abc"', '"99999999999999999999"', f'"{2**63}"', '"0", W/"1"'],
)
def test_an_if_match_without_a_strong_match_returns_412_and_changes_nothing(ada: User, named: str) -> None:
    task = ada.create("first")
    headers = {"If-Match": named}
    # A patch that would change nothing is rejected too: its sender has seen another state of the task.
    for members in ({"title": "second"}, {}):
        assert ada.patch(task["id"], members, headers=headers).status_code == 412
    assert ada.request("DELETE", f"/tasks/{task['id']}", headers=headers).status_code == 412
    assert ada.get(f"/tasks/{task['id']}").json() == task


WEAK = 'The entity tag W/"1" in If-Match is weak, so it never matches. Send "1" instead.'
FOREIGN = 'If-Match lists no entity tag that this server makes. Send a revision in double quotes, such as "42".'


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (['W/"1"'], WEAK),
        (['"0", W/"1"'], WEAK),
        (['"0"', 'W/"1"'], WEAK),
        (['"1-gzip"'], FOREIGN),
        (['W/"abc"'], FOREIGN),
        (['"0"'], "The task has changed."),
    ],
)
def test_a_412_says_whether_the_task_has_changed_or_a_tag_can_never_match(
    ada: User, lines: list[str], detail: str
) -> None:
    task = ada.create()
    headers = [("If-Match", line) for line in lines]
    patched = ada.patch(task["id"], {"title": "second"}, headers=headers)
    deleted = ada.request("DELETE", f"/tasks/{task['id']}", headers=headers)
    assert (patched.status_code, deleted.status_code) == (412, 412)
    assert patched.json()["detail"] == deleted.json()["detail"] == detail
    assert patched.json()["task"] == deleted.json()["task"] == task


@pytest.mark.parametrize("named", ['"1"', "*", '"0", "1"', '"0","1" , W/"7"', '"abc", "1"', '"0",,"1",', ', "1"'])
def test_a_matching_if_match_allows_the_write(ada: User, named: str) -> None:
    task = ada.create("first")
    assert ada.patch(task["id"], {"title": "second"}, headers={"If-Match": named}).json()["revision"] == 2
    named = named.replace("1", "2")
    assert ada.request("DELETE", f"/tasks/{task['id']}", headers={"If-Match": named}).status_code == 204


def test_entity_tags_may_be_spread_over_several_header_lines(ada: User) -> None:
    task = ada.create()
    lines = [("If-None-Match", '"0"'), ("If-None-Match", '"1"')]
    assert ada.get(f"/tasks/{task['id']}", headers=lines).status_code == 304
    lines = [("If-Match", '"0"'), ("If-Match", '"1"')]
    assert ada.patch(task["id"], {"title": "second"}, headers=lines).status_code == 200


def test_a_conditional_request_for_a_missing_task_returns_404(ada: User) -> None:
    for headers in ({"If-Match": "*"}, {"If-Match": '"1"'}, {"If-None-Match": "*"}):
        assert ada.request("DELETE", f"/tasks/{uuid4()}", headers=headers).status_code == 404
        assert ada.patch(str(uuid4()), {}, headers=headers).status_code == 404
        assert ada.get(f"/tasks/{uuid4()}", headers=headers).status_code == 404
