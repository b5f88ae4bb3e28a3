"""A batch runs many writes in one transaction: in their order, each with a revision of its own and its own status."""

from uuid import UUID, uuid4

import pytest

from tests.support.batches import create, delete, replace, restore, run, send, statuses, update
from tests.support.client import Json, User


def test_one_batch_creates_replaces_updates_deletes_and_restores(ada: User) -> None:
    first, second, third, fourth = (ada.create(title) for title in ("first", "second", "third", "fourth"))
    ada.request("DELETE", f"/tasks/{fourth['id']}")
    new = str(uuid4())
    done = run(
        ada,
        create("new", id=new, tags=["home"]),
        replace(first["id"], "replaced", priority="High"),
        update(second["id"], completed=True),
        delete(third["id"]),
        restore(fourth["id"]),
    )
    assert statuses(done["results"]) == [201, 200, 200, 204, 200]
    assert [one["id"] for one in done["results"]] == [new, first["id"], second["id"], third["id"], fourth["id"]]
    assert done["revision"] == 10
    assert [one["task"]["revision"] for one in done["results"] if "task" in one] == [6, 7, 8, 10]
    for one in done["results"]:
        response = ada.get(f"/tasks/{one['id']}")
        assert (response.json() if response.status_code == 200 else None) == one.get("task")


def test_a_new_user_can_begin_with_a_batch(ada: User) -> None:
    done = run(ada, create("a"), create("b"))
    assert done["revision"] == 2
    assert sorted(ada.titles()) == ["a", "b"]


def test_the_response_is_not_stored_by_shared_caches(ada: User) -> None:
    response = send(ada, create())
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "ETag" not in response.headers
    assert "Idempotency-Replayed" not in response.headers


def test_a_create_without_an_id_gets_a_new_one_in_the_order_of_the_batch(ada: User) -> None:
    done = run(ada, *(create(str(number)) for number in range(5)))
    ids = [UUID(one["id"]) for one in done["results"]]
    assert {one.version for one in ids} == {7}
    assert ids == sorted(ids)
    assert ada.titles(sort_direction="asc") == ["0", "1", "2", "3", "4"]


def test_a_created_task_is_what_create_task_would_have_made(ada: User) -> None:
    stamps = ("id", "position", "revision", "created_at", "updated_at", "completed_at")
    for members in ({}, {"description": "d", "completed": True, "priority": "Low", "due_date": "2026-01-01"}):
        single = ada.create("one", **members, tags=["b", "a"])
        batched = run(ada, create("one", **members, tags=["b", "a"]))["results"][0]["task"]
        assert {**batched, **{name: single[name] for name in stamps}} == single
        assert batched["created_at"] == batched["updated_at"] > single["created_at"]
        assert batched["completed_at"] == (batched["created_at"] if single["completed"] else None)


def test_a_replaced_task_gets_defaults_for_absent_members(ada: User) -> None:
    task = ada.create("old", description="d", completed=True, priority="High", due_date="2026-01-01", tags=["a"])
    replaced = run(ada, replace(task["id"], "new"))["results"][0]["task"]
    defaults: Json = {"description": None, "completed": False, "completed_at": None, "due_date": None, "tags": []}
    assert replaced == task | defaults | {
        "title": "new",
        "priority": "Medium",
        "revision": 2,
        "updated_at": replaced["updated_at"],
    }


def test_replace_creates_a_task_that_is_not_there(ada: User) -> None:
    chosen = str(uuid4())
    done = run(ada, replace(chosen, "new"))
    assert (done["results"][0]["status"], done["results"][0]["id"]) == (201, chosen)
    assert ada.get(f"/tasks/{chosen}").json() == done["results"][0]["task"]


@pytest.mark.parametrize("mode", ["atomic", "independent"])
def test_what_changes_nothing_takes_no_revision(ada: User, mode: str) -> None:
    task = ada.create("same", tags=["a"])
    other = ada.create("other")
    unchanged = [replace(task["id"], "same", tags=["a"]), restore(other["id"])]
    done = run(ada, *unchanged, mode=mode)
    assert statuses(done["results"]) == [200, 200]
    assert [one["task"] for one in done["results"]] == [task, other]
    assert done["revision"] == 2
    done = run(ada, update(task["id"], title="same"), create("new"), update(other["id"]), mode=mode)
    assert done["revision"] == 3
    assert [one["task"]["revision"] for one in done["results"]] == [1, 3, 2]


def test_completing_sets_completed_at_once_and_reopening_clears_it(ada: User) -> None:
    task = ada.create()
    done = run(ada, update(task["id"], completed=True))["results"][0]["task"]
    assert done["completed_at"] == done["updated_at"] > task["updated_at"]
    again = run(ada, update(task["id"], completed=True, title="b"))["results"][0]["task"]
    assert again["completed_at"] == done["completed_at"] < again["updated_at"]
    assert run(ada, replace(task["id"]))["results"][0]["task"]["completed_at"] is None


def test_a_batch_reaches_only_the_tasks_of_its_user(ada: User, grace: User) -> None:
    task = grace.create("hers")
    own = [update(task["id"], title="mine"), delete(task["id"])]
    for operation in own:
        assert statuses(run(ada, operation, mode="independent")["results"]) == [404]
    assert statuses(run(ada, create("mine", id=task["id"]))["results"]) == [201]
    assert grace.get(f"/tasks/{task['id']}").json() == task
    assert ada.get("/tasks").json()["tasks"][0]["revision"] == 1


def test_a_batch_has_1_to_100_operations_and_up_to_1_mib(ada: User) -> None:
    assert send(ada).status_code == 400
    assert send(ada, *[create()] * 101).status_code == 400
    assert run(ada, *[create(description="ä" * 5000) for _ in range(100)])["revision"] == 100
    assert send(ada, *[create(description="ä" * 5500) for _ in range(100)]).status_code == 413
