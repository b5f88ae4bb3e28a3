"""The trash lists deleted tasks, the latest deletion first. Erasing them is for good, and takes no revision."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from tests.support.client import Json, User


def trashed(user: User, title: str = "A task", **members: Json) -> Json:
    """Create a task and delete it; return it as it was."""
    task = user.create(title, **members)
    assert user.delete(task["id"]).status_code == 204
    return task


def trash_of(user: User, **query: Any) -> list[Json]:
    """Return all tasks in the trash, page by page."""
    found, cursor = [], None
    while True:
        page = user.get("/trash", params=query | ({"cursor": cursor} if cursor else {}))
        assert page.status_code == 200, page.text
        found += page.json()["tasks"]
        if not (cursor := page.json()["next_cursor"]):
            return found


def erase(user: User, task_id: str) -> httpx.Response:
    """Erase a task."""
    return user.request("DELETE", f"/trash/{task_id}")


def empty(user: User) -> None:
    """Empty the trash."""
    response = user.request("DELETE", "/trash")
    assert (response.status_code, response.content) == (204, b"")


class Row(NamedTuple):
    """What a task's row has of its text, and what erasing it leaves of the rest."""

    text: tuple[str, str | None, list[str]]
    revision: int
    deleted_at: datetime | None
    erased_at: datetime | None


def row_of(database: str, task_id: str) -> Row:
    """Return a task's row, even if no operation shows the task any more."""
    statement = "SELECT title, description, tags, revision, deleted_at, erased_at FROM tasks WHERE id = %s"
    with psycopg.connect(database) as connection:
        row = connection.execute(statement, [task_id], binary=True).fetchone()
    assert row is not None
    return Row(row[:3], *row[3:])


@pytest.fixture
def old_tombstones(database: str, ada: User) -> list[str]:
    """Return the ids of three tasks that a release before 0.4.0 deleted, the second and third at the same time."""
    ids = [ada.create(f"old {number}")["id"] for number in range(3)]
    with psycopg.connect(database) as connection:
        for number, task_id in enumerate(ids):
            deleted_at = datetime(2026, 1, 1 + (number > 0), tzinfo=UTC)
            connection.execute("UPDATE tasks SET deleted_at = %s WHERE id = %s", [deleted_at, task_id])
    return ids


def test_a_deleted_task_is_in_the_trash_as_it_was(ada: User) -> None:
    task = trashed(ada, "Buy milk", description="Two litres", completed=True, priority="High", tags=["a"])
    (found,) = trash_of(ada)
    deletion_id = found.pop("deletion_id")
    assert found == task | {"revision": 2, "updated_at": found["updated_at"], "deleted_at": found["updated_at"]}
    assert found["updated_at"] > task["updated_at"]
    assert str(UUID(deletion_id)) == deletion_id
    assert deletion_id != task["id"]


def test_the_trash_is_never_stored_and_has_no_entity_tag(ada: User) -> None:
    for headers in ({}, {"If-None-Match": "*"}):
        response = ada.get("/trash", headers=headers)
        assert (response.status_code, response.json()) == (200, {"tasks": [], "lists": [], "next_cursor": None})
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers


def test_the_latest_deletion_comes_first_whatever_the_order_of_creation(ada: User) -> None:
    tasks = [ada.create(title) for title in "abcd"]
    for number in (2, 0, 3, 1):
        ada.delete(tasks[number]["id"])
    for limit in (1, 2, 3, 4, 100):
        assert [task["title"] for task in trash_of(ada, limit=limit)] == list("bdac")
    assert len({task["deletion_id"] for task in trash_of(ada)}) == 4


def test_pages_neither_repeat_nor_skip_a_task_that_was_deleted_at_the_same_time(database: str, ada: User) -> None:
    ids = [trashed(ada, str(number))["id"] for number in range(7)]
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE tasks SET deleted_at = '2026-01-01 12:00:00.5+00' WHERE user_id = %s", [ada.id])
    first = ada.get("/trash", params={"limit": 3}).json()
    trashed(ada, "deleted meanwhile")
    erase(ada, first["tasks"][-1]["id"])
    rest = ada.get("/trash", params={"limit": 100, "cursor": first["next_cursor"]}).json()
    assert rest["next_cursor"] is None
    assert [task["id"] for task in first["tasks"] + rest["tasks"]] == sorted(ids, reverse=True)


def test_the_last_page_has_no_cursor(ada: User) -> None:
    for number in range(2):
        trashed(ada, str(number))
    assert ada.get("/trash", params={"limit": 2}).json()["next_cursor"] is None


def test_a_cursor_is_valid_for_the_same_trash_only(ada: User, grace: User) -> None:
    for user in (ada, grace):
        for number in range(2):
            trashed(user, str(number))
            user.create(str(number))
    cursor = ada.get("/trash", params={"limit": 1}).json()["next_cursor"]
    of_list = ada.get("/tasks", params={"limit": 1}).json()["next_cursor"]
    damaged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(cursor + "==")[:-1] + b"!").decode().rstrip("=")
    refused = [
        grace.get("/trash", params={"cursor": cursor}),
        ada.get("/tasks", params={"cursor": cursor}),
        ada.get("/trash", params={"cursor": of_list}),
        ada.get("/trash", params={"cursor": damaged}),
        ada.get("/trash", params={"cursor": "x"}),
    ]
    assert [response.status_code for response in refused] == [400] * 5
    detail = "is damaged, or was made for another list"
    assert refused[0].json()["errors"] == [{"in": "query", "name": "cursor", "detail": detail}]


def test_a_limit_and_a_cursor_that_are_invalid_are_both_reported(ada: User) -> None:
    response = ada.get("/trash", params={"limit": 101, "cursor": "?", "offset": 1})
    assert sorted(error["name"] for error in response.json()["errors"]) == ["cursor", "limit", "offset"]


def test_a_deleted_task_is_in_no_list_count_tag_or_search(ada: User) -> None:
    ada.create("kept", tags=["kept"])
    gone = [trashed(ada, "deleted", tags=["gone"])["id"] for _ in range(2)]
    erase(ada, gone[0])
    for _ in range(2):
        assert ada.get("/tasks").json()["total"] == 1
        assert ada.titles() == ada.titles(sort_by="title") == ["kept"]
        assert ada.titles(search="deleted") == ada.titles(tags="gone") == ada.titles(id=gone) == []
        assert ada.get("/tags").json() == [{"name": "kept", "usage_count": 1}]
        assert [ada.get(f"/tasks/{task_id}").status_code for task_id in gone] == [404, 404]
        assert [ada.patch(task_id, {"title": "changed"}).status_code for task_id in gone] == [404, 404]
        assert ada.delete(gone[1]).status_code == 404
        empty(ada)


def test_erasing_overwrites_the_text_in_the_row_and_takes_no_revision(database: str, ada: User) -> None:
    task = trashed(ada, "a secret", description="a secret", tags=["a secret"])
    other = trashed(ada, "kept")
    response = erase(ada, task["id"])
    assert (response.status_code, response.content) == (204, b"")
    row = row_of(database, task["id"])
    assert (row.text, row.revision) == (("", None, []), 2)
    assert row.erased_at is not None
    assert row.deleted_at is not None
    assert row.erased_at > row.deleted_at
    assert [one["id"] for one in trash_of(ada)] == [other["id"]]
    assert ada.revision() == 4


def test_only_a_task_in_the_trash_can_be_erased(ada: User, grace: User) -> None:
    live, erased, hers = ada.create("live"), trashed(ada), trashed(grace, "Grace's")
    erase(ada, erased["id"])
    refused = [erase(ada, task_id) for task_id in (live["id"], erased["id"], hers["id"], str(uuid4()))]
    answers = {(response.status_code, response.json()["detail"]) for response in refused}
    assert answers == {(404, "There is no such task.")}
    assert ada.titles() == ["live"]
    assert [task["title"] for task in trash_of(grace)] == ["Grace's"]


def test_emptying_the_trash_erases_all_of_it_and_nothing_else(database: str, ada: User, grace: User) -> None:
    live, hers = ada.create("live", tags=["a"]), trashed(grace, "Grace's")
    mine = [trashed(ada, "a secret", description="a secret", tags=["a secret"]) for _ in range(3)]
    before = ada.revision()
    for _ in range(2):
        empty(ada)
        assert trash_of(ada) == []
    for task in mine:
        assert row_of(database, task["id"]).text == ("", None, [])
        assert erase(ada, task["id"]).status_code == 404
    assert ada.revision() == before
    assert ada.get(f"/tasks/{live['id']}").json() == live
    assert [task["id"] for task in trash_of(grace)] == [hers["id"]]


def test_an_erased_task_is_not_erased_again(database: str, ada: User) -> None:
    task = trashed(ada)
    erase(ada, task["id"])
    before = row_of(database, task["id"])
    empty(ada)
    erase(ada, task["id"])
    assert row_of(database, task["id"]) == before


def test_the_trash_of_a_user_who_never_wrote_can_be_emptied(ada: User) -> None:
    empty(ada)
    assert ada.revision() == 0


def test_each_task_that_an_older_release_deleted_is_a_deletion_of_its_own(ada: User, old_tombstones: list[str]) -> None:
    new = trashed(ada, "new")
    found = trash_of(ada, limit=1)
    assert [task["id"] for task in found] == [new["id"], old_tombstones[2], old_tombstones[1], old_tombstones[0]]
    assert [task["deletion_id"] for task in found[1:]] == [task["id"] for task in found[1:]]
    assert found[-1]["deleted_at"] == "2026-01-01T00:00:00Z"


def test_what_an_older_release_deleted_can_be_erased_and_keeps_its_id(ada: User, old_tombstones: list[str]) -> None:
    assert erase(ada, old_tombstones[0]).status_code == 204
    assert [task["id"] for task in trash_of(ada)] == [old_tombstones[2], old_tombstones[1]]
    empty(ada)
    assert trash_of(ada) == []
    assert [ada.put(task_id, {"title": "again"}).status_code for task_id in old_tombstones] == [409] * 3


def test_a_task_is_in_exactly_one_page_while_others_are_deleted_and_erased(server: str, ada: User) -> None:
    kept = [trashed(ada, f"kept {number}")["id"] for number in range(12)]

    def disturb(_: int) -> None:
        with User(server, ada.id) as user:
            for _ in range(30):
                erase(user, trashed(user, "short-lived")["id"])

    with ThreadPoolExecutor(4) as threads:
        disturbed = threads.map(disturb, range(4))
        for _ in range(15):
            found = [task["id"] for task in trash_of(ada, limit=2) if task["title"] != "short-lived"]
            assert found == kept[::-1]
        list(disturbed)
