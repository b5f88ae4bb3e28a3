"""Writes of a family at once, from two services: no circle, no fourth level, no live subtask of a deleted task."""

import random
from collections.abc import Callable
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.concurrency import in_turn, together
from tests.support.lists import create_list
from tests.support.subtasks import create, is_there, now, refused

Write = Callable[[User, str, str], httpx.Response]
ROUNDS = 20
CLIENTS = 8
WRITES = 30
TASKS = "SELECT id, parent_id, list_id, deleted_at IS NULL, revision FROM tasks WHERE user_id = %s"


def create_under(user: User, parent_id: str, _: str) -> httpx.Response:
    """Create a subtask."""
    return user.request("POST", "/tasks", json={"title": "A task", "parent_id": parent_id})


def create_once(user: User, parent_id: str, _: str) -> httpx.Response:
    """Create a subtask, with a key."""
    body = {"title": "A task", "parent_id": parent_id}
    return user.request("POST", "/tasks", json=body, headers={"Idempotency-Key": str(uuid4())})


def put_under(user: User, parent_id: str, _: str) -> httpx.Response:
    """Create a subtask, under a chosen id."""
    return user.put(str(uuid4()), {"title": "A task", "parent_id": parent_id})


def move_under(user: User, parent_id: str, task_id: str) -> httpx.Response:
    """Make the task a subtask."""
    return user.patch(task_id, {"parent_id": parent_id})


def move_in_batch(user: User, parent_id: str, task_id: str) -> httpx.Response:
    """Make the task a subtask, in a batch."""
    operation = {"op": "update", "id": task_id, "changes": {"parent_id": parent_id}}
    return user.request("POST", "/batch", json={"operations": [operation]})


def delete(user: User, task_id: str, _: str) -> httpx.Response:
    """Delete the task."""
    return user.delete(task_id)


def delete_many(user: User, task_id: str, _: str) -> httpx.Response:
    """Delete the task with a filter."""
    return user.request("DELETE", "/tasks", params={"id": task_id})


def restore(user: User, task_id: str, _: str) -> httpx.Response:
    """Restore the task."""
    return user.request("POST", f"/trash/{task_id}/restore")


def check_families(database: str, user: User) -> None:
    """Check that live tasks are on three levels at most, below live tasks in the same list, and that none is lost."""
    with psycopg.connect(database) as connection:
        rows = {row[0]: row[1:] for row in connection.execute(TASKS, [user.id])}
    live = {one: row for one, row in rows.items() if row[2]}
    for one, (parent_id, list_id, _, _) in live.items():
        level = 1
        while parent_id is not None:
            assert parent_id in live, one
            assert live[parent_id][1] == list_id
            parent_id, level = live[parent_id][0], level + 1
            assert level <= 3, one
    revisions = [row[3] for row in rows.values()]
    assert len(set(revisions)) == len(revisions)


@pytest.mark.parametrize("remove", [delete, delete_many])
@pytest.mark.parametrize("write", [create_under, create_once, put_under, move_under, move_in_batch])
def test_a_subtask_that_is_made_just_before_goes_with_its_parent(
    database: str, ada: User, same_ada: User, write: Write, remove: Write
) -> None:
    top, task = create(ada)["id"], create(ada)["id"]
    first, second = in_turn(database, ada.id, lambda: write(ada, top, task), lambda: remove(same_ada, top, task))
    assert (first.status_code in (200, 201), second.status_code in (200, 204)) == (True, True)
    assert ada.get("/tasks", params={"parent_id": top}).json()["total"] == 0
    check_families(database, ada)


@pytest.mark.parametrize("write", [create_under, create_once, put_under, move_under, move_in_batch])
def test_a_task_is_not_put_under_one_that_is_being_deleted(
    database: str, ada: User, same_ada: User, write: Write
) -> None:
    top, task = create(ada)["id"], create(ada)["id"]
    first, second = in_turn(database, ada.id, lambda: delete(ada, top, task), lambda: write(same_ada, top, task))
    assert (first.status_code, second.status_code) == (204, 409)
    check_families(database, ada)


def test_a_subtask_that_is_made_just_before_follows_its_parent(database: str, ada: User, same_ada: User) -> None:
    home, top = create_list(ada)["id"], create(ada)["id"]
    made, _ = in_turn(
        database, ada.id, lambda: create_under(ada, top, ""), lambda: same_ada.patch(top, {"list_id": home})
    )
    assert now(ada, made.json())["list_id"] == home


def test_a_subtask_that_is_restored_while_its_parent_is_being_deleted_is_at_the_top_or_goes_with_it(
    database: str, ada: User, same_ada: User
) -> None:
    top = create(ada)
    child = create(ada, top)
    ada.delete(child["id"])
    _, back = in_turn(database, ada.id, lambda: delete(ada, top["id"], ""), lambda: restore(same_ada, child["id"], ""))
    assert is_there(ada, child) == (back.json()["parent_id"] is None)
    check_families(database, ada)


def test_two_devices_that_each_make_the_others_task_its_parent_never_make_a_circle(
    database: str, ada: User, same_ada: User
) -> None:
    for _ in range(ROUNDS):
        one, other = create(ada)["id"], create(ada)["id"]
        pairs = [(ada, one, other), (same_ada, other, one)]
        responses = together(lambda turn, pairs=pairs: move_under(*pairs[turn]), 2)  # type: ignore[misc]
        assert sorted(response.status_code for response in responses) == [200, 409]
        assert refused(max(responses, key=lambda response: response.status_code)) == "parent-cycle"
    check_families(database, ada)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_many_devices_do_there_are_three_levels_at_most_and_no_task_is_lost(
    database: str, server: str, other_server: str, ada: User, seed: int
) -> None:
    home: str = create_list(ada)["id"]
    tasks = [create(ada)["id"] for _ in range(8)]

    def move(user: User, task_id: str, _: str) -> httpx.Response:
        return user.patch(task_id, {"parent_id": None, "list_id": dice_list()})

    def dice_list() -> str | None:
        return random.choice([home, None])  # noqa: S311 - any choice will do

    def move_all(user: User, _: str, __: str) -> httpx.Response:
        return user.request("PATCH", "/tasks", params={"completed": "false"}, json={"list_id": dice_list()})

    writes: list[Write] = [*[move_under] * 5, move_in_batch, create_under, put_under, delete, delete_many]
    writes += [restore, restore, move, move_all]

    def work(client: int) -> None:
        dice = random.Random(seed * CLIENTS + client)  # noqa: S311 - the same choices in every run
        with User((server, other_server)[client % 2], ada.id) as user:
            for _ in range(WRITES):
                response = dice.choice(writes)(user, dice.choice(tasks), dice.choice(tasks))
                assert response.status_code in (200, 201, 204, 404, 409), response.text

    together(work, CLIENTS)
    check_families(database, ada)
