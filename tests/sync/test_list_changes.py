"""`list_changes` returns lists beside tasks, in one order of revisions and within one limit."""

import psycopg

from tests.support.changes import Copy, ask, changes, pages, purge
from tests.support.client import Json, User
from tests.support.lists import create_list, delete_list, listed, restore_list

PARTS = ("tasks", "deleted", "lists", "deleted_lists")


def entries(page: Json) -> list[Json]:
    """Return all that a page reports, in the order of revisions."""
    return sorted((one for name in PARTS for one in page[name]), key=lambda one: one["revision"])


def test_a_download_has_lists_and_no_deletions(ada: User) -> None:
    home, gone = create_list(ada, "home", color="red", archived=True), create_list(ada, "gone")
    task = ada.create(list_id=home["id"])
    delete_list(ada, gone)
    page = changes(ada)
    assert (page["tasks"], page["deleted"], page["lists"], page["deleted_lists"]) == ([task], [], [home], [])


def test_a_list_is_reported_when_it_is_created_changed_deleted_and_restored(ada: User) -> None:
    copy = Copy()
    copy.catch_up(ada)
    home = create_list(ada)
    copy.catch_up(ada)
    assert copy.lists == {home["id"]: home}
    home = ada.request("PATCH", f"/lists/{home['id']}", json={"name": "New"}).json()
    copy.catch_up(ada)
    assert copy.lists == {home["id"]: home}
    delete_list(ada, home)
    (gone,) = changes(ada, copy.token)["deleted_lists"]
    assert (gone["id"], gone["revision"], sorted(gone)) == (home["id"], 3, ["deleted_at", "id", "revision"])
    copy.catch_up(ada)
    assert copy.lists == {}
    home = restore_list(ada, home)
    copy.catch_up(ada)
    assert copy.lists == {home["id"]: home}


def test_pages_have_tasks_and_lists_in_one_order_and_within_one_limit(ada: User) -> None:
    ada.create()
    token = ada.sync_token()
    for number in range(4):
        ada.create(list_id=create_list(ada, f"{number}")["id"])
    delete_list(ada, listed(ada)[0])
    found = [entries(page) for page in pages(ada, token, limit=3)]
    assert [len(page) for page in found] == [3, 3, 2]
    # The first task and list were deleted later, and are reported once.
    assert [one["revision"] for page in found for one in page] == [4, 5, 6, 7, 8, 9, 10, 11]


def test_a_restored_list_comes_before_its_tasks_and_a_deleted_one_after_them(ada: User) -> None:
    home = create_list(ada)
    for title in "ab":
        ada.create(title, list_id=home["id"])
    token = ada.sync_token()
    delete_list(ada, home)
    assert entries(changes(ada, token))[-1]["id"] == home["id"]
    token = ada.sync_token()
    restore_list(ada, home)
    assert entries(changes(ada, token))[0]["id"] == home["id"]


def test_a_page_of_long_texts_ends_early_with_lists_too(ada: User) -> None:
    home = create_list(ada, "\u0001" * 99 + "a")
    for _ in range(25):
        ada.create(description="\u0001" * 10_000)
    found = list(pages(ada, limit=1000))
    assert len(found) > 1
    assert [page["lists"] for page in found if page["lists"]] == [[home]]


def test_a_client_that_missed_the_purged_deletion_of_a_list_downloads_everything(ada: User, database: str) -> None:
    home = create_list(ada)
    token = ada.sync_token()
    delete_list(ada, home)
    ada.create()
    purge(database, ada)
    assert ask(ada, token).status_code == 410
    assert ask(ada, changes(ada)["sync_token"]).status_code == 200
    with psycopg.connect(database) as connection:
        left = connection.execute("SELECT count(*) FROM lists WHERE user_id = %s", [ada.id]).fetchone()
    assert left == (0,)
    # Its id can be used again.
    assert ada.request("PUT", f"/lists/{home['id']}", json={"name": "Again"}).status_code == 201


def test_the_trash_of_lists_takes_no_revision_when_it_is_emptied(ada: User) -> None:
    delete_list(ada, create_list(ada))
    token = ada.sync_token()
    ada.request("DELETE", "/trash")
    assert entries(changes(ada, token)) == []
