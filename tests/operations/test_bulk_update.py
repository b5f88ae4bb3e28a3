"""PATCH of many tasks: every task that matches gets the new values, each with a revision of its own, or none does."""

from typing import Any

import pytest

from tests.support.client import Json, User
from tests.support.many import has_account, insert_tasks, revisions
from tests.support.tasks import FULL, STAMPS, create_three, without
from tests.support.turns import one_after_the_other

FILTERS = "id, search, completed, priority, tags, due_before, due_after, due, list_id, parent_id"
ONE_FILTER = f"must have at least one of {FILTERS}"
DUE = ("due_time", "time_zone", "due_at")
"""The members that follow from `due_date`: `tests/operations/test_due.py`."""


def update(user: User, query: str, changes: Json, **headers: str) -> Json:
    """Update the tasks that match, and return the answer."""
    response = user.request("PATCH", f"/tasks?{query}", json=changes, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("query", "changed"),
    [
        ("search=MILK", "ab"),
        ("completed=false", "ac"),
        ("priority=High&priority=Low", "ab"),
        ("tags=home&tags=garden", "abc"),
        ("tags=home&tags=garden&tag_match=all", "c"),
        ("due_before=2026-11-24", "a"),
        ("due_after=2026-11-25", "b"),
        ("completed=false&tags=garden", "c"),
        ("search=&completed=true", "b"),
        ("tags=unknown", ""),
    ],
)
def test_the_tasks_that_match_every_filter_are_changed_and_no_others(
    ada: User, grace: User, query: str, changed: str
) -> None:
    hers, tasks = create_three(grace), create_three(ada)
    number = len(changed)
    assert update(ada, query, {"title": "new"}) == {"matched": number, "changed": number, "revision": 3 + number}
    assert [name for name, task in tasks.items() if ada.read(task)["title"] == "new"] == [*changed]
    assert [ada.read(task) for name, task in tasks.items() if name not in changed] == [
        task for name, task in tasks.items() if name not in changed
    ]
    assert [grace.read(task) for task in hers.values()] == [*hers.values()]


def test_tasks_are_chosen_by_id(ada: User, grace: User) -> None:
    first, second, third, hers = ada.create(), ada.create(), ada.create(), grace.create()
    query = f"id={first['id']}&id={third['id'].upper()}&id={hers['id']}"
    assert update(ada, query, {"title": "new"}) == {"matched": 2, "changed": 2, "revision": 5}
    assert [ada.read(task)["title"] for task in (first, second, third)] == ["new", "A task", "new"]
    assert grace.read(hers) == hers


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", "Büy 🎉"),
        ("description", "One"),
        ("description", None),
        ("priority", "Low"),
        ("due_date", "2027-01-01"),
        ("due_date", None),
        ("tags", []),
        ("tags", ["shopping", "home"]),
    ],
    ids=str,
)
def test_only_the_given_member_changes(ada: User, member: str, value: Any, media_type: str) -> None:
    tasks = [ada.create(**FULL) for _ in range(2)]
    update(ada, "priority=High", {member: value}, **{"Content-Type": media_type})
    for task in tasks:
        changed = ada.read(task)
        assert changed[member] == value
        following = DUE if member == "due_date" else ()
        assert without(changed, member, *following, *STAMPS) == without(task, member, *following, *STAMPS)
        assert changed["updated_at"] > task["updated_at"]


def test_revisions_follow_the_order_of_creation_and_a_task_with_these_values_already_keeps_its_own(ada: User) -> None:
    tasks = [ada.create(str(number), priority="High" if number == 2 else "Low") for number in range(4)]
    ada.patch(tasks[0]["id"], {"title": "last"})
    assert update(ada, "completed=false", {"priority": "High"}) == {"matched": 4, "changed": 3, "revision": 8}
    changed = [ada.read(task) for task in tasks]
    assert [task["revision"] for task in changed] == [6, 7, 3, 8]
    assert changed[2] == tasks[2]
    assert len({task["updated_at"] for task in changed}) == 2
    assert update(ada, "completed=false", {"priority": "High"}) == {"matched": 4, "changed": 0, "revision": 8}
    assert update(ada, "completed=false", {}) == {"matched": 4, "changed": 0, "revision": 8}
    assert [ada.read(task) for task in tasks] == changed


def test_completing_keeps_the_time_of_tasks_that_are_completed_already(ada: User) -> None:
    done, unfinished = ada.create(completed=True), ada.create()
    update(ada, "priority=Medium", {"completed": True, "title": "done"})
    assert ada.read(done)["completed_at"] == done["completed_at"]
    completed = ada.read(unfinished)
    assert completed["completed_at"] == completed["updated_at"] > unfinished["updated_at"]
    update(ada, "priority=Medium", {"completed": False})
    assert [ada.read(task)["completed_at"] for task in (done, unfinished)] == [None, None]


@pytest.mark.parametrize(
    ("changes", "tags"),
    [
        ({"add_tags": ["c", "a", "d"]}, ["b", "a", "c", "d"]),
        ({"remove_tags": ["b", "x"]}, ["a"]),
        ({"remove_tags": ["a", "b"]}, []),
        ({"remove_tags": ["b"], "add_tags": ["c"]}, ["a", "c"]),
        ({"add_tags": ["B", "a,b", "cafe\u0301"]}, ["b", "a", "B", "a,b", "caf\u00e9"]),
        ({"add_tags": [], "remove_tags": []}, ["b", "a"]),
    ],
    ids=str,
)
def test_tags_are_added_at_the_end_and_removed_wherever_they_are(ada: User, changes: Json, tags: list[str]) -> None:
    task = ada.create(tags=["b", "a"])
    assert update(ada, f"id={task['id']}", changes)["changed"] == (tags != ["b", "a"])
    assert ada.read(task)["tags"] == tags


def test_a_task_that_would_have_more_than_20_tags_prevents_the_whole_update(ada: User) -> None:
    few, many = ada.create(tags=["a"]), ada.create(tags=["a", *map(str, range(18))])
    for query in ("tags=a", "tags=a&dry_run=true"):
        response = ada.request("PATCH", f"/tasks?{query}", json={"add_tags": ["x", "y"]})
        assert (response.status_code, response.json()["detail"]) == (409, "A task would have more than 20 tags.")
        assert response.json()["type"] == "urn:problem-type:todo-api:too-many-tags"
    assert [ada.read(task) for task in (few, many)] == [few, many]
    assert update(ada, "tags=a", {"add_tags": ["x", "y"], "remove_tags": ["a"]})["changed"] == 2
    assert len(ada.read(many)["tags"]) == 20


def test_up_to_1000_tasks_are_changed_and_none_if_there_are_more(database: str, ada: User, grace: User) -> None:
    insert_tasks(database, ada, 1000, ["a"])
    assert update(ada, "tags=a", {"priority": "High"}) == {"matched": 1000, "changed": 1000, "revision": 2000}
    assert revisions(database, ada) == [*range(1001, 2001)]
    insert_tasks(database, grace, 1001, ["a"])
    response = grace.request("PATCH", "/tasks?tags=a", json={"priority": "High", "add_tags": list(map(str, range(20)))})
    assert response.status_code == 409
    problem = response.json()
    assert problem["type"] == "urn:problem-type:todo-api:too-many"
    assert problem["detail"] == "More than 1,000 tasks match. Narrow the filters."
    assert revisions(database, grace) == [*range(1, 1002)]
    assert update(grace, "tags=a&dry_run=true", {"priority": "High"}) == {
        "matched": 1001,
        "changed": 1001,
        "revision": 1001,
    }


def test_a_dry_run_counts_what_would_change_and_writes_nothing(ada: User) -> None:
    tasks = [ada.create(priority=priority) for priority in ("High", "Low", "Low")]
    assert update(ada, "completed=false&dry_run=true", {"priority": "High"}) == {
        "matched": 3,
        "changed": 2,
        "revision": 3,
    }
    assert [ada.read(task) for task in tasks] == tasks


def test_a_user_who_has_never_written_is_at_revision_0_and_stays_without_an_account(database: str, ada: User) -> None:
    for query in ("completed=false", "completed=false&dry_run=true"):
        assert update(ada, query, {"title": "new"}) == {"matched": 0, "changed": 0, "revision": 0}
    assert not has_account(database, ada)


def test_a_task_that_is_created_while_the_request_waits_is_changed(database: str, server: str, ada: User) -> None:
    old = ada.create("old", tags=["a"])
    with User(server, ada.id) as other:
        new, answer = one_after_the_other(
            database,
            ada,
            lambda: other.create("new", tags=["a"]),
            lambda: update(ada, "tags=a", {"title": "changed"}),
        )
    assert answer == {"matched": 2, "changed": 2, "revision": 4}
    assert [ada.read(task)["title"] for task in (old, new)] == ["changed", "changed"]


def test_a_task_that_begins_to_match_while_the_request_waits_is_changed(database: str, server: str, ada: User) -> None:
    task = ada.create("old")
    with User(server, ada.id) as other:
        _, answer = one_after_the_other(
            database,
            ada,
            lambda: other.patch(task["id"], {"tags": ["a"]}),
            lambda: update(ada, "tags=a", {"title": "changed"}),
        )
    assert answer == {"matched": 1, "changed": 1, "revision": 3}
    assert ada.read(task)["title"] == "changed"


@pytest.mark.parametrize(
    "query", ["", "search=", "tag_match=all", "dry_run=true", "search=&tag_match=any&dry_run=true"]
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_request_without_a_filter_is_rejected(ada: User, method: str, query: str) -> None:
    task = ada.create()
    response = ada.request(method, f"/tasks?{query}", json={"title": "new"} if method == "PATCH" else None)
    assert response.status_code == 400
    problem = response.json()
    assert problem["detail"] == f"The query {ONE_FILTER}"
    assert problem["errors"] == [{"in": "query", "detail": ONE_FILTER}]
    assert ada.read(task) == task


def test_tags_that_contradict_each_other_are_reported_together_with_all_other_errors(ada: User) -> None:
    changes = {"title": "", "tags": [], "add_tags": ["a", "b"], "remove_tags": ["c", "b", "a"]}
    response = ada.request("PATCH", "/tasks?limit=1", json=changes)
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"in": "query", "name": "limit", "detail": "is not a recognised name"},
        {"in": "query", "detail": ONE_FILTER},
        {"in": "body", "pointer": "/title", "detail": "must not be empty"},
        {"in": "body", "pointer": "/add_tags", "detail": "cannot be combined with tags"},
        {"in": "body", "pointer": "/remove_tags", "detail": "cannot be combined with tags"},
        {"in": "body", "pointer": "/remove_tags/1", "detail": "must not be in add_tags too"},
        {"in": "body", "pointer": "/remove_tags/2", "detail": "must not be in add_tags too"},
    ]


@pytest.mark.parametrize(
    "member", ["id", "user_id", "revision", "completed_at", "created_at", "updated_at", "position", "parent_id", "foo"]
)
def test_members_that_a_set_of_tasks_cannot_have_are_rejected(ada: User, member: str) -> None:
    response = ada.request("PATCH", "/tasks?completed=true", json={member: ada.create().get(member)})
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{member}"]
