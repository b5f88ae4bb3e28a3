"""A deleted list takes its tasks to the trash, and one restoration brings back all that went with it."""

from operator import itemgetter
from uuid import uuid4

import psycopg
import pytest

from tests.support.changes import changes
from tests.support.client import Json, User
from tests.support.lists import create_list, delete_list, listed, restore_list
from tests.support.many import insert_tasks
from tests.support.trash import restore, undo


def trash(user: User, **query: str) -> Json:
    """Return a page of the trash."""
    response = user.get("/trash", params=query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def home(ada: User) -> Json:
    """Return a list with the tasks a, b and c; d is in the inbox."""
    one = create_list(ada, "home", color="red", archived=True)
    for title in "abc":
        ada.create(title, list_id=one["id"])
    ada.create("d")
    return one


def test_the_tasks_go_with_their_list(ada: User, home: Json) -> None:
    token = ada.sync_token()
    delete_list(ada, home)
    assert ada.titles() == ["d"]
    assert listed(ada, archived="include") == []
    assert ada.get(f"/lists/{home['id']}").status_code == 404
    page = trash(ada)
    (gone,) = page["lists"]
    assert (gone["name"], gone["color"], gone["archived"]) == ("home", "red", True)
    assert {task["title"]: task["list_id"] for task in page["tasks"]} == dict.fromkeys("abc", home["id"])
    assert {task["deletion_id"] for task in page["tasks"]} == {gone["deletion_id"]}
    # Each has a revision of its own, the list the last one.
    page = changes(ada, token)
    assert [one["revision"] for one in page["deleted"]] == [6, 7, 8]
    assert [(one["id"], one["revision"]) for one in page["deleted_lists"]] == [(home["id"], 9)]


def test_a_list_with_more_than_10000_tasks_is_not_deleted(database: str, ada: User) -> None:
    insert_tasks(database, ada, 10_001, [])
    home = create_list(ada, "home")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE tasks SET list_id = %s WHERE user_id = %s", [home["id"], ada.id])
    response = ada.request("DELETE", f"/lists/{home['id']}")
    assert (response.status_code, response.json()["type"]) == (409, "urn:problem-type:todo-api:too-many")
    assert response.json()["detail"] == "The list has more than 10,000 tasks. Delete some of them first."
    assert listed(ada) == [home]
    ada.delete(ada.get("/tasks", params={"limit": 1}).json()["tasks"][0]["id"])
    delete_list(ada, home)
    assert ada.titles() == []


def test_restoring_the_list_brings_back_what_went_with_it(ada: User, home: Json) -> None:
    earlier = ada.create("deleted earlier", list_id=home["id"])
    ada.delete(earlier["id"])
    delete_list(ada, home)
    token = ada.sync_token()
    restored = restore_list(ada, home)
    assert restored == {**home, "revision": restored["revision"], "updated_at": restored["updated_at"]}
    assert sorted(ada.titles(list_id=home["id"])) == ["a", "b", "c"]
    assert [task["title"] for task in trash(ada)["tasks"]] == ["deleted earlier"]
    page = changes(ada, token)
    assert [one["revision"] for one in page["lists"]] == [12]
    assert [one["revision"] for one in page["tasks"]] == [13, 14, 15]
    # The request can be repeated.
    assert restore_list(ada, home) == restored
    assert ada.revision() == 15
    assert restore(ada, earlier["id"])["list_id"] == home["id"]


def test_the_deletion_can_be_undone_by_its_id(ada: User, home: Json) -> None:
    delete_list(ada, home)
    deletion = trash(ada)["lists"][0]["deletion_id"]
    assert undo(ada, deletion) == {"matched": 4, "changed": 4, "revision": 13, "has_more": False}
    assert [one["id"] for one in listed(ada, archived="only")] == [home["id"]]
    assert sorted(ada.titles(list_id=home["id"])) == ["a", "b", "c"]
    assert undo(ada, deletion) == {"matched": 0, "changed": 0, "revision": 13, "has_more": False}


@pytest.mark.parametrize("by_deletion", [True, False])
def test_an_empty_list_is_restored_too(ada: User, by_deletion: bool) -> None:
    one = create_list(ada)
    delete_list(ada, one)
    if by_deletion:
        assert undo(ada, trash(ada)["lists"][0]["deletion_id"])["changed"] == 1
    else:
        restore_list(ada, one)
    assert [found["id"] for found in listed(ada)] == [one["id"]]


def test_a_task_that_is_restored_before_its_list_comes_back_in_the_inbox_and_stays_there(ada: User, home: Json) -> None:
    (task,) = [one for one in ada.get("/tasks").json()["tasks"] if one["title"] == "a"]
    delete_list(ada, home)
    assert restore(ada, task["id"])["list_id"] is None
    restore_list(ada, home)
    assert sorted(ada.titles(list_id=home["id"])) == ["b", "c"]
    assert sorted(ada.titles(list_id="inbox")) == ["a", "d"]


def test_what_one_request_deleted_keeps_its_order_in_the_inbox(ada: User, home: Json) -> None:
    (last,) = ada.get("/tasks", params={"search": "c"}).json()["tasks"]
    ada.request("POST", f"/tasks/{last['id']}/move", json={"at": "first"})
    ada.create("below", parent_id=ada.get("/tasks", params={"search": "b"}).json()["tasks"][0]["id"])
    deletion_id = ada.request("DELETE", "/tasks", params={"list_id": home["id"]}).json()["deletion_id"]
    delete_list(ada, home)
    undo(ada, deletion_id)
    assert ada.titles(parent_id="none", sort_by="position", sort_direction="asc") == [*"cabd"]


@pytest.mark.parametrize("how", ["batch", "deletion"])
def test_other_ways_to_restore_a_task_lead_to_the_inbox_too(ada: User, how: str) -> None:
    one = create_list(ada)
    task = ada.create(list_id=one["id"])
    ada.delete(task["id"])
    deletion = trash(ada)["tasks"][0]["deletion_id"]
    delete_list(ada, one)
    if how == "batch":
        body = {"operations": [{"op": "restore", "id": task["id"]}]}
        (result,) = ada.request("POST", "/batch", json=body).json()["results"]
        assert result["task"]["list_id"] is None
    else:
        undo(ada, deletion)
    assert ada.read(task)["list_id"] is None


@pytest.mark.parametrize("how", ["single", "batch", "deletion"])
def test_a_restored_task_comes_back_into_a_list_that_is_there(ada: User, how: str) -> None:
    one = create_list(ada)
    task = ada.create(list_id=one["id"])
    ada.delete(task["id"])
    if how == "single":
        restore(ada, task["id"])
    elif how == "batch":
        ada.request("POST", "/batch", json={"operations": [{"op": "restore", "id": task["id"]}]})
    else:
        undo(ada, trash(ada)["tasks"][0]["deletion_id"])
    assert ada.read(task)["list_id"] == one["id"]


def test_a_task_that_was_restored_and_deleted_again_does_not_come_back_with_its_list(ada: User, home: Json) -> None:
    (task,) = [one for one in ada.get("/tasks").json()["tasks"] if one["title"] == "a"]
    delete_list(ada, home)
    restore(ada, task["id"])
    ada.delete(task["id"])
    restore_list(ada, home)
    assert sorted(ada.titles()) == ["b", "c", "d"]


def test_the_trash_shows_tasks_and_lists_on_pages_the_latest_deletion_first(ada: User) -> None:
    lists = [create_list(ada, f"{number}") for number in range(3)]
    for one in lists:
        task = ada.create(f"alone {one['name']}")
        ada.create(f"in {one['name']}", list_id=one["id"])
        ada.delete(task["id"])
        delete_list(ada, one)
    found, query = [], {"limit": "2"}
    while True:
        page = trash(ada, **query)
        assert len(page["tasks"]) + len(page["lists"]) <= 2
        found += sorted([*page["tasks"], *page["lists"]], key=itemgetter("deleted_at"), reverse=True)
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    names = [one.get("title") or one["name"] for one in found]
    assert len(names) == len(set(names)) == 9
    assert found == sorted(found, key=itemgetter("deleted_at"), reverse=True)


def test_an_empty_trash_has_no_lists(ada: User, home: Json) -> None:
    delete_list(ada, home)
    revision = ada.revision()
    assert ada.request("DELETE", "/trash").status_code == 204
    assert trash(ada) == {"tasks": [], "lists": [], "next_cursor": None}
    assert ada.request("POST", f"/lists/{home['id']}/restore").status_code == 404
    assert ada.revision() == revision
    assert changes(ada)["deleted_lists"] == []


def test_there_is_nothing_to_restore_of_an_unknown_list(ada: User) -> None:
    response = ada.request("POST", f"/lists/{uuid4()}/restore")
    assert (response.status_code, response.json()["detail"]) == (404, "There is no such list.")
