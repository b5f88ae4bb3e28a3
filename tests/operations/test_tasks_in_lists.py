"""A task is in one of the user's lists, or in the inbox, and moves between them without losing its id."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.batches import run
from tests.support.client import Json, User
from tests.support.lists import create_list, delete_list
from tests.support.tasks import FULL

NO_SUCH_LIST = (409, "no-such-list", "There is no list with this list_id. It may have been deleted.")


def problem(response: httpx.Response) -> tuple[int, str, str]:
    """Return the status, the kind and the detail of a problem."""
    return response.status_code, response.json()["type"].rpartition(":")[2], response.json()["detail"]


@pytest.fixture(params=["unknown", "deleted", "erased"])
def absent(ada: User, request: pytest.FixtureRequest) -> str:
    """Return the id of a list that is not there."""
    if request.param == "unknown":
        return str(uuid4())
    one = create_list(ada)
    delete_list(ada, one)
    if request.param == "erased":
        ada.request("DELETE", "/trash")
    return str(one["id"])


def test_a_task_is_in_the_inbox_unless_it_names_a_list(ada: User) -> None:
    home = create_list(ada)
    assert ada.create("a")["list_id"] is None
    assert ada.create("b", list_id=None)["list_id"] is None
    inside = ada.create("c", list_id=home["id"])
    assert inside["list_id"] == home["id"]
    assert ada.read(inside) == inside


def test_a_task_moves_and_keeps_its_id(ada: User) -> None:
    home, work = create_list(ada, "home"), create_list(ada, "work")
    task = ada.create(**FULL, list_id=home["id"])
    moved = ada.patch(task["id"], {"list_id": work["id"]}).json()
    assert moved == {**task, "list_id": work["id"], "revision": 4, "updated_at": moved["updated_at"]}
    assert ada.patch(task["id"], {"list_id": work["id"]}).json() == moved
    out = ada.patch(task["id"], {"list_id": None}).json()
    assert (out["id"], out["list_id"], out["revision"]) == (task["id"], None, 5)


def test_a_patch_of_anything_else_leaves_a_task_where_it_is(ada: User) -> None:
    home = create_list(ada)
    task = ada.create(list_id=home["id"])
    assert ada.patch(task["id"], {"title": "New"}).json()["list_id"] == home["id"]


def test_put_without_a_list_leaves_a_task_where_it_is(ada: User) -> None:
    home = create_list(ada)
    task = ada.create(list_id=home["id"])
    kept = ada.put(task["id"], {"title": "New"}).json()
    assert (kept["title"], kept["list_id"]) == ("New", home["id"])
    assert ada.put(task["id"], {"title": "New", "list_id": None}).json()["list_id"] is None
    assert ada.put(task["id"], {"title": "New", "list_id": home["id"]}).json()["list_id"] == home["id"]
    assert ada.put(str(uuid4()), {"title": "Another"}).json()["list_id"] is None
    assert ada.put(str(uuid4()), {"title": "Another", "list_id": home["id"]}).json()["list_id"] == home["id"]


def test_no_task_is_created_in_a_list_that_is_not_there(ada: User, absent: str) -> None:
    revision = ada.revision()
    body = {"title": "A task", "list_id": absent}
    assert problem(ada.request("POST", "/tasks", json=body)) == NO_SUCH_LIST
    keyed = {"Idempotency-Key": "1"}
    assert problem(ada.request("POST", "/tasks", json=body, headers=keyed)) == NO_SUCH_LIST
    assert problem(ada.put(str(uuid4()), body)) == NO_SUCH_LIST
    assert ada.titles() == []
    assert ada.revision() == revision
    # The rejected request has left its key free.
    assert ada.request("POST", "/tasks", json={"title": "A task"}, headers=keyed).status_code == 201


def test_no_task_moves_to_a_list_that_is_not_there(ada: User, absent: str) -> None:
    task = ada.create()
    assert problem(ada.patch(task["id"], {"title": "New", "list_id": absent})) == NO_SUCH_LIST
    assert problem(ada.put(task["id"], {"title": "New", "list_id": absent})) == NO_SUCH_LIST
    for query in {"completed": "false"}, {"completed": "false", "dry_run": "true"}, {"completed": "true"}:
        response = ada.request("PATCH", "/tasks", params=query, json={"list_id": absent})
        assert problem(response) == NO_SUCH_LIST
    assert ada.read(task) == task
    assert ada.revision() == task["revision"]


def test_other_reasons_to_reject_a_write_come_first(ada: User) -> None:
    task, gone = ada.create(), {"title": "New", "list_id": str(uuid4())}
    assert ada.patch(str(uuid4()), gone).status_code == 404
    stale = {"If-Match": '"7"'}
    assert ada.patch(task["id"], gone, headers=stale).status_code == 412
    assert ada.put(task["id"], gone, headers=stale).status_code == 412
    ada.delete(task["id"])
    assert problem(ada.put(task["id"], gone))[1] == "conflict"


def test_another_users_list_is_not_there(ada: User, server: str) -> None:
    with User(server, f"bob-{uuid4()}") as bob:
        theirs = create_list(bob)
    response = ada.request("POST", "/tasks", json={"title": "A task", "list_id": theirs["id"]})
    assert problem(response) == NO_SUCH_LIST


def test_lists_are_filtered_by_list_and_inbox(ada: User) -> None:
    home, work = create_list(ada, "home"), create_list(ada, "work")
    for title, where in ("a", None), ("b", home["id"]), ("c", work["id"]), ("d", home["id"]):
        ada.create(title, list_id=where)

    def titles(*where: str) -> list[str]:
        return ada.titles(list_id=list(where), sort_by="title", sort_direction="asc")

    assert titles("inbox") == ["a"]
    assert titles(home["id"]) == ["b", "d"]
    assert titles(home["id"].upper(), work["id"]) == ["b", "c", "d"]
    assert titles("inbox", work["id"]) == ["a", "c"]
    assert titles(str(uuid4())) == []
    assert titles() == ["a", "b", "c", "d"]
    assert ada.titles(list_id=home["id"], search="d") == ["d"]


@pytest.mark.parametrize("value", ["", "Inbox", "null", "a", "01a207b2"])
def test_a_filter_is_a_list_or_the_inbox(ada: User, value: str) -> None:
    response = ada.get("/tasks", params={"list_id": value})
    assert response.status_code == 400
    detail = 'value 1 must be a UUID or "inbox"'
    assert response.json()["errors"] == [{"in": "query", "name": "list_id", "detail": detail}]


def test_a_cursor_belongs_to_its_list(ada: User) -> None:
    home = create_list(ada)
    for title in "ab":
        ada.create(title, list_id=home["id"])
    page = ada.get("/tasks", params={"list_id": home["id"], "limit": 1}).json()
    query = {"cursor": page["next_cursor"], "limit": 1}
    assert ada.titles(**query, list_id=home["id"]) == ["a"]
    assert ada.get("/tasks", params={**query, "list_id": "inbox"}).status_code == 400


def test_many_tasks_move_at_once(ada: User) -> None:
    home, work = create_list(ada, "home"), create_list(ada, "work")
    for title in "abc":
        ada.create(title, list_id=home["id"])
    ada.create("d")
    response = ada.request("PATCH", "/tasks", params={"list_id": [home["id"], "inbox"]}, json={"list_id": work["id"]})
    assert response.json() == {"matched": 4, "changed": 4, "revision": 10}
    assert sorted(ada.titles(list_id=work["id"])) == ["a", "b", "c", "d"]
    response = ada.request("PATCH", "/tasks", params={"list_id": work["id"]}, json={"list_id": None})
    assert response.json()["changed"] == 4
    assert sorted(ada.titles(list_id="inbox")) == ["a", "b", "c", "d"]


def test_the_tasks_of_a_list_are_deleted_without_it(ada: User) -> None:
    home = create_list(ada)
    ada.create("a", list_id=home["id"])
    ada.create("b")
    response = ada.request("DELETE", "/tasks", params={"list_id": home["id"]})
    assert response.json()["changed"] == 1
    assert ada.titles() == ["b"]
    assert ada.get(f"/lists/{home['id']}").json() == home


def operations(task: Json, list_id: str | None) -> list[dict[str, Any]]:
    """Return operations that put tasks into a list."""
    return [
        {"op": "create", "task": {"title": "created", "list_id": list_id}},
        {"op": "replace", "id": str(uuid4()), "task": {"title": "new", "list_id": list_id}},
        {"op": "update", "id": task["id"], "changes": {"list_id": list_id}, "base": {"list_id": None}},
    ]


def test_the_tasks_of_a_batch_may_be_in_lists(ada: User) -> None:
    home, task = create_list(ada), ada.create("old")
    results = run(ada, *operations(task, home["id"]))["results"]
    assert [one["status"] for one in results] == [201, 201, 200]
    assert [one["task"]["list_id"] for one in results] == [home["id"]] * 3
    # Without a list_id, a replacement leaves the task where it is.
    (kept,) = run(ada, {"op": "replace", "id": task["id"], "task": {"title": "replaced"}})["results"]
    assert kept["task"]["list_id"] == home["id"]


def test_an_operation_fails_if_its_list_is_not_there(ada: User, absent: str) -> None:
    task = ada.create("old")
    done = run(ada, *operations(task, absent), {"op": "create", "task": {"title": "other"}}, mode="independent")
    *failed, other = done["results"]
    for one in failed:
        assert (one["status"], one["problem"]["type"]) == (409, "urn:problem-type:todo-api:no-such-list")
    assert other["status"] == 201
    assert sorted(ada.titles()) == ["old", "other"]


def test_a_repeated_batch_repeats_that_a_list_was_not_there(ada: User) -> None:
    body = {"mode": "independent", "operations": [{"op": "create", "task": {"title": "a", "list_id": str(uuid4())}}]}

    def repeat() -> Json:
        response = ada.request("POST", "/batch", json=body, headers={"Idempotency-Key": "1"})
        assert response.status_code == 200
        return response.json()

    first, second = repeat()["results"][0], repeat()["results"][0]
    assert first["status"] == second["status"] == 409
    assert first["problem"]["type"] == second["problem"]["type"] == "urn:problem-type:todo-api:no-such-list"


def test_a_base_tells_whether_somebody_else_has_moved_the_task(ada: User) -> None:
    home, work = create_list(ada, "home"), create_list(ada, "work")
    task = ada.create(list_id=home["id"])
    move = {"op": "update", "id": task["id"], "changes": {"list_id": work["id"]}, "base": {"list_id": None}}
    (result,) = run(ada, move, mode="independent")["results"]
    assert (result["status"], result["problem"]["members"]) == (409, ["list_id"])
