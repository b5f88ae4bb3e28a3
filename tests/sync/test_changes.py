"""`list_changes` returns what has changed since a token: tasks and deletions, each once, in the order of revisions."""

from typing import Any

import psycopg
import pytest

from tests.support import batches
from tests.support.changes import ask, changes, pages
from tests.support.client import Json, User

NO_LISTS: dict[str, Any] = {"lists": [], "deleted_lists": []}


def revisions(page: Json) -> list[int]:
    """Return the revisions of a page, in the order in which its members have them."""
    return [change["revision"] for change in page["tasks"] + page["deleted"]]


def deletions(page: Json) -> list[str]:
    """Return the ids that a page reports as deleted."""
    return [deleted["id"] for deleted in page["deleted"]]


def test_without_a_token_there_are_all_tasks_without_deletions(ada: User) -> None:
    first, second, third = ada.create("1", tags=["a"]), ada.create("2"), ada.create("3")
    ada.delete(second["id"])
    page = changes(ada)
    assert page == {
        "tasks": [first, third],
        "deleted": [],
        **NO_LISTS,
        "sync_token": page["sync_token"],
        "has_more": False,
    }


def test_with_a_token_there_is_what_has_changed_since(ada: User) -> None:
    first, second = ada.create("1"), ada.create("2")
    token = changes(ada)["sync_token"]
    assert changes(ada, token) == {"tasks": [], "deleted": [], **NO_LISTS, "sync_token": token, "has_more": False}
    third, changed = ada.create("3"), ada.patch(first["id"], {"title": "4"}).json()
    page = changes(ada, token)
    assert (page["tasks"], page["deleted"]) == ([third, changed], [])
    assert changes(ada, page["sync_token"])["tasks"] == []
    assert second not in page["tasks"]


def test_a_token_can_be_used_again(ada: User) -> None:
    token = changes(ada)["sync_token"]
    ada.create()
    assert changes(ada, token) == changes(ada, token)


def test_a_task_that_changes_twice_is_reported_once_as_it_is_now(ada: User) -> None:
    task = ada.create("1")
    token = changes(ada)["sync_token"]
    for title in "23":
        task = ada.patch(task["id"], {"title": title}).json()
    assert changes(ada, token)["tasks"] == [task]


def test_a_write_that_changes_nothing_is_not_reported(ada: User) -> None:
    task = ada.create("1")
    token = changes(ada)["sync_token"]
    ada.patch(task["id"], {"title": "1"})
    assert changes(ada, token) == {"tasks": [], "deleted": [], **NO_LISTS, "sync_token": token, "has_more": False}


def test_a_deletion_is_reported_with_its_revision_and_time(ada: User) -> None:
    task = ada.create("1")
    token = changes(ada)["sync_token"]
    ada.delete(task["id"])
    (trashed,) = ada.get("/trash").json()["tasks"]
    page = changes(ada, token)
    expected = {"id": task["id"], "revision": trashed["revision"], "deleted_at": trashed["deleted_at"]}
    assert (page["tasks"], page["deleted"]) == ([], [expected])


def test_a_task_that_is_created_and_deleted_is_a_deletion(ada: User) -> None:
    token = changes(ada)["sync_token"]
    ada.create()
    token = changes(ada)["sync_token"]
    task = ada.create("1")
    ada.delete(task["id"])
    page = changes(ada, token)
    assert (page["tasks"], deletions(page)) == ([], [task["id"]])


def test_a_restored_task_is_reported_as_a_task_again(ada: User) -> None:
    task = ada.create("1")
    before = changes(ada)["sync_token"]
    ada.delete(task["id"])
    between = changes(ada)["sync_token"]
    restored = ada.request("POST", f"/trash/{task['id']}/restore").json()
    for token in before, between:
        page = changes(ada, token)
        assert (page["tasks"], page["deleted"]) == ([restored], [])


def test_erasing_changes_nothing_for_who_knows_of_the_deletion(ada: User) -> None:
    task = ada.create("1")
    before = changes(ada)["sync_token"]
    ada.delete(task["id"])
    page = changes(ada, before)
    assert ada.request("DELETE", f"/trash/{task['id']}").status_code == 204
    assert changes(ada, before) == page
    assert changes(ada, page["sync_token"])["deleted"] == []


def test_tasks_and_deletions_share_pages_in_the_order_of_revisions(ada: User) -> None:
    tasks = [ada.create(str(number)) for number in range(6)]
    token = changes(ada)["sync_token"]
    for number, task in enumerate(tasks):
        ada.delete(task["id"]) if number % 2 else ada.patch(task["id"], {"completed": True})
    assert [revisions(page) for page in pages(ada, token, limit=1)] == [[number] for number in range(7, 13)]
    three = list(pages(ada, token, limit=3))
    assert [sorted(revisions(page)) for page in three] == [[7, 8, 9], [10, 11, 12]]
    assert [page["has_more"] for page in three] == [True, False]


def test_each_page_continues_where_the_last_one_ended(ada: User) -> None:
    tasks = [ada.create(str(number)) for number in range(7)]
    for limit in range(1, 9):
        found = list(pages(ada, limit=limit))
        assert [task for page in found for task in page["tasks"]] == tasks
        assert {len(page["tasks"]) for page in found[:-1]} <= {limit}
        assert found[-1]["sync_token"] == changes(ada)["sync_token"]


@pytest.mark.parametrize("limit", [1, 1000])
def test_the_limit_is_between_1_and_1000(ada: User, limit: int) -> None:
    ada.create()
    assert len(changes(ada, limit=limit)["tasks"]) == 1


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "", "x"])
def test_another_limit_is_rejected(ada: User, limit: str) -> None:
    response = ask(ada, limit=limit)
    assert (response.status_code, response.json()["errors"][0]["name"]) == (400, "limit")


def test_a_page_has_500_changes_unless_the_client_chooses_another_limit(ada: User) -> None:
    for _ in range(6):
        batches.run(ada, *[batches.create() for _ in range(100)])
    first, second = pages(ada)
    assert (len(first["tasks"]), len(second["tasks"])) == (500, 100)
    assert len(changes(ada, limit=1000)["tasks"]) == 600


def test_the_changes_of_a_batch_have_the_order_of_its_operations(ada: User) -> None:
    gone, kept = ada.create("1"), ada.create("2")
    token = changes(ada)["sync_token"]
    operations = [batches.create("3"), batches.delete(gone["id"]), batches.update(kept["id"], title="4")]
    created, _, updated = (result.get("task") for result in batches.results(ada, *operations))
    page = changes(ada, token)
    assert (page["tasks"], deletions(page), revisions(page)) == ([created, updated], [gone["id"]], [3, 5, 4])


def test_changes_of_many_tasks_at_once_are_all_reported(ada: User) -> None:
    for number in range(5):
        ada.create(str(number), tags=["a"])
    token = changes(ada)["sync_token"]
    assert ada.request("PATCH", "/tags", params={"name": "a"}, json={"name": "b"}).status_code == 200
    assert revisions(changes(ada, token)) == [6, 7, 8, 9, 10]
    token = changes(ada)["sync_token"]
    assert ada.request("DELETE", "/tasks", params={"tags": "b"}).status_code == 200
    assert revisions(changes(ada, token)) == [11, 12, 13, 14, 15]


LONG = [
    {"description": "d" * 10_000},
    {"title": "é" * 200, "description": "漢" * 10_000},
    {"description": "\1" * 10_000},
]


@pytest.mark.parametrize("long", LONG, ids=["letters", "ideographs", "control characters"])
def test_a_page_of_long_texts_ends_at_about_a_mebibyte(ada: User, long: dict[str, Any]) -> None:
    for _ in range(12):
        batches.run(ada, *[batches.create(**{"title": "t", **long}) for _ in range(10)])
    first = ask(ada, limit=1000)
    assert 0.9 * 2**20 < len(first.content) < 1.1 * 2**20
    assert first.json()["has_more"]
    found = list(pages(ada, limit=1000))
    assert [revision for page in found for revision in revisions(page)] == list(range(1, 121))


def test_deletions_of_long_texts_fill_no_page(ada: User) -> None:
    for _ in range(15):
        batches.run(ada, *[batches.create("t", description="d" * 10_000) for _ in range(10)])
    token = changes(ada)["sync_token"]
    assert ada.request("DELETE", "/tasks", params={"completed": False}).status_code == 200
    page = changes(ada, token)
    assert (len(page["deleted"]), page["has_more"]) == (150, False)


def test_responses_are_not_stored(ada: User) -> None:
    for token in None, changes(ada)["sync_token"]:
        response = ask(ada, token)
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers


def test_head_has_the_headers_of_get(ada: User) -> None:
    ada.create()
    response = ada.request("HEAD", "/changes")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == str(len(ask(ada).content))
    assert ada.request("HEAD", "/changes", params={"sync_token": "1.1.1"}).status_code == 410


def test_a_user_sees_no_change_of_another(ada: User, grace: User) -> None:
    ada.create()
    token = changes(grace)["sync_token"]
    ada.create()
    assert changes(grace, token)["tasks"] == changes(grace)["tasks"] == []


def test_who_has_never_written_has_a_token_that_is_always_valid(ada: User, database: str) -> None:
    token = changes(ada)["sync_token"]
    assert changes(ada, token) == changes(ada)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT FROM accounts WHERE user_id = %s", [ada.id]).fetchone() is None
    kept, gone = ada.create("1"), ada.create("2")
    ada.delete(gone["id"])
    assert changes(ada, token) == changes(ada)
    assert (changes(ada, token)["tasks"], changes(ada, token)["deleted"]) == ([kept], [])
