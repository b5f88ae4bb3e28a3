"""Writes of a list and of its tasks at once, from two services: no task is left live in a deleted list."""

import random
from collections.abc import Callable
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.concurrency import in_turn, together
from tests.support.lists import create_list, delete_list

Write = Callable[[User, str, str], httpx.Response]
CLIENTS = 10
WRITES = 30
LOST = """
SELECT count(*) FROM tasks LEFT JOIN lists ON lists.user_id = tasks.user_id AND lists.id = tasks.list_id
WHERE tasks.user_id = %s AND tasks.deleted_at IS NULL AND tasks.list_id IS NOT NULL
    AND (lists.id IS NULL OR lists.deleted_at IS NOT NULL)
"""
REVISIONS = """
SELECT revision FROM tasks WHERE user_id = %(user)s UNION ALL SELECT revision FROM lists WHERE user_id = %(user)s
"""


def delete(user: User, list_id: str, _: str) -> httpx.Response:
    """Delete the list."""
    return user.request("DELETE", f"/lists/{list_id}")


def restore(user: User, list_id: str, _: str) -> httpx.Response:
    """Restore the list."""
    return user.request("POST", f"/lists/{list_id}/restore")


def create(user: User, list_id: str, _: str) -> httpx.Response:
    """Create a task in the list."""
    return user.request("POST", "/tasks", json={"title": "A task", "list_id": list_id})


def create_once(user: User, list_id: str, _: str) -> httpx.Response:
    """Create a task in the list, with a key."""
    body = {"title": "A task", "list_id": list_id}
    return user.request("POST", "/tasks", json=body, headers={"Idempotency-Key": "1"})


def put(user: User, list_id: str, _: str) -> httpx.Response:
    """Create a task in the list, under a chosen id."""
    return user.put(str(uuid4()), {"title": "A task", "list_id": list_id})


def move(user: User, list_id: str, task_id: str) -> httpx.Response:
    """Move the task to the list."""
    return user.patch(task_id, {"list_id": list_id})


def replace(user: User, list_id: str, task_id: str) -> httpx.Response:
    """Move the task to the list, and replace it."""
    return user.put(task_id, {"title": "New", "list_id": list_id})


def move_all(user: User, list_id: str, _: str) -> httpx.Response:
    """Move all open tasks to the list."""
    return user.request("PATCH", "/tasks", params={"completed": "false"}, json={"list_id": list_id})


def move_in_batch(user: User, list_id: str, task_id: str) -> httpx.Response:
    """Move the task to the list, in a batch."""
    body = {"operations": [{"op": "update", "id": task_id, "changes": {"list_id": list_id}}]}
    return user.request("POST", "/batch", json=body)


def restore_task(user: User, _: str, task_id: str) -> httpx.Response:
    """Restore the task."""
    return user.request("POST", f"/trash/{task_id}/restore")


def lost(database: str, user: User) -> int:
    """Return the number of live tasks in lists that are not there."""
    with psycopg.connect(database) as connection:
        row = connection.execute(LOST, [user.id]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("write", [create, create_once, put, move, replace, move_all, move_in_batch])
def test_a_task_is_not_put_into_a_list_that_is_being_deleted(
    database: str, ada: User, same_ada: User, write: Write
) -> None:
    list_id, task_id = create_list(ada)["id"], ada.create()["id"]
    first, second = in_turn(
        database, ada.id, lambda: delete(ada, list_id, task_id), lambda: write(same_ada, list_id, task_id)
    )
    assert (first.status_code, second.status_code) == (204, 409)
    assert lost(database, ada) == 0


@pytest.mark.parametrize("write", [create, create_once, put, move, replace, move_all, move_in_batch])
def test_a_task_that_is_put_into_a_list_just_before_goes_with_it(
    database: str, ada: User, same_ada: User, write: Write
) -> None:
    list_id, task_id = create_list(ada)["id"], ada.create()["id"]
    first, second = in_turn(
        database, ada.id, lambda: write(ada, list_id, task_id), lambda: delete(same_ada, list_id, task_id)
    )
    assert (first.status_code in (200, 201), second.status_code) == (True, 204)
    assert lost(database, ada) == 0
    assert ada.get("/trash").json()["tasks"][0]["list_id"] == list_id


@pytest.mark.parametrize("write", [create, put, move])
def test_a_task_is_put_into_a_list_that_is_being_restored(
    database: str, ada: User, same_ada: User, write: Write
) -> None:
    one, task_id = create_list(ada), ada.create()["id"]
    delete_list(ada, one)
    first, second = in_turn(
        database, ada.id, lambda: restore(ada, one["id"], task_id), lambda: write(same_ada, one["id"], task_id)
    )
    assert (first.status_code, second.status_code in (200, 201)) == (200, True)


def test_a_task_is_restored_to_the_inbox_while_its_list_is_being_deleted(
    database: str, ada: User, same_ada: User
) -> None:
    one = create_list(ada)
    task = ada.create(list_id=one["id"])
    ada.delete(task["id"])
    _, restored = in_turn(
        database, ada.id, lambda: delete(ada, one["id"], ""), lambda: restore_task(same_ada, "", task["id"])
    )
    assert restored.json()["list_id"] is None


def test_a_task_is_restored_to_its_list_while_that_is_being_restored(database: str, ada: User, same_ada: User) -> None:
    one = create_list(ada)
    task = ada.create(list_id=one["id"])
    ada.delete(task["id"])
    delete_list(ada, one)
    _, restored = in_turn(
        database, ada.id, lambda: restore(ada, one["id"], ""), lambda: restore_task(same_ada, "", task["id"])
    )
    assert restored.json()["list_id"] == one["id"]


@pytest.mark.parametrize("seed", range(2))
def test_whatever_many_devices_do_each_change_has_a_revision_and_no_task_is_lost(
    database: str, server: str, other_server: str, ada: User, seed: int
) -> None:
    lists = [create_list(ada, f"{number}")["id"] for number in range(2)]
    tasks = [ada.create(f"{number}")["id"] for number in range(4)]
    writes = [delete, restore, restore, create, create, put, move, replace, move_all, move_in_batch, restore_task]

    def work(client: int) -> None:
        dice = random.Random(seed * CLIENTS + client)  # noqa: S311 - the same choices in every run
        with User((server, other_server)[client % 2], ada.id) as user:
            for _ in range(WRITES):
                response = dice.choice(writes)(user, dice.choice(lists), dice.choice(tasks))
                assert response.status_code in (200, 201, 204, 404, 409), response.text

    together(work, CLIENTS)
    assert lost(database, ada) == 0
    with psycopg.connect(database) as connection:
        revisions = [row[0] for row in connection.execute(REVISIONS, {"user": ada.id})]
    assert len(set(revisions)) == len(revisions)
    assert max(revisions) == ada.revision()
