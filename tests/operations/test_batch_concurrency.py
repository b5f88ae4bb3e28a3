"""Batches that arrive together take turns: no revision is lost or doubled, none deadlocks, and a key counts once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import uuid4

import psycopg

from tests.support.batches import create, delete, run, send, statuses, update
from tests.support.client import Json, User
from tests.support.postgres import wait_for_locks

AT_ONCE = 20
Result = TypeVar("Result")


def at_once(call: Callable[[int], Result]) -> list[Result]:
    """Call a function 20 times at once, with 0 to 19, and return what it returns."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*pool.map(call, range(AT_ONCE))]


def test_batches_of_one_user_leave_no_gap(ada: User) -> None:
    shared = [str(uuid4()) for _ in range(5)]
    run(ada, *(create(id=one) for one in shared))

    def batch(number: int) -> Json:
        # In another order each time: if rows were locked first, two such batches would deadlock.
        ids = shared[number % 5 :] + shared[: number % 5]
        return run(ada, create(), *(update(one, title=f"batch {number}") for one in ids), create())

    done = at_once(batch)
    revisions = [one["task"]["revision"] for batch in done for one in batch["results"]]
    assert sorted(revisions) == list(range(6, 6 + AT_ONCE * 7))
    for one in done:
        own = [result["task"]["revision"] for result in one["results"]]
        assert own == list(range(own[0], own[0] + 7))
        assert one["revision"] == own[-1]
    titles = {one["title"] for one in ada.get("/tasks", params={"limit": 100}).json()["tasks"] if one["id"] in shared}
    assert len(titles) == 1


def test_batches_and_single_requests_of_a_new_user_leave_no_gap(ada: User) -> None:
    def write(number: int) -> list[int]:
        if number % 2:
            return [ada.create()["revision"]]
        return [one["task"]["revision"] for one in run(ada, create(), create())["results"]]

    revisions = [one for written in at_once(write) for one in written]
    assert sorted(revisions) == list(range(1, 31))


def test_devices_that_edit_different_members_all_succeed(ada: User) -> None:
    task = ada.create("old", description="old", tags=["old"])
    edits: list[Json] = [
        update(task["id"], base={"title": "old"}, title="new"),
        update(task["id"], base={"description": "old"}, description="new"),
        update(task["id"], base={"tags": ["old"]}, tags=["new"]),
        update(task["id"], base={"completed": False}, completed=True),
    ]
    done = at_once(lambda number: run(ada, edits[number % 4]))
    assert {status for one in done for status in statuses(one["results"])} == {200}
    merged = ada.get(f"/tasks/{task['id']}").json()
    assert (merged["title"], merged["description"], merged["tags"]) == ("new", "new", ["new"])
    assert (merged["completed"], merged["revision"]) == (True, 5)


def test_devices_that_give_a_member_different_values_get_all_but_one_conflict(ada: User) -> None:
    task = ada.create("old")

    def edit(number: int) -> int:
        return send(ada, update(task["id"], base={"title": "old"}, title=f"new {number}")).status_code

    assert sorted(at_once(edit)) == [200] + [409] * (AT_ONCE - 1)
    assert ada.get(f"/tasks/{task['id']}").json()["revision"] == 2


def test_one_id_is_created_once(ada: User) -> None:
    chosen = str(uuid4())
    done = at_once(lambda _: run(ada, create(id=chosen), mode="independent"))
    assert sorted(status for one in done for status in statuses(one["results"])) == [201] + [409] * (AT_ONCE - 1)


def test_a_keyed_batch_takes_effect_once_and_all_get_the_same_answer(ada: User) -> None:
    task = ada.create("to delete")
    operations = create("one"), create("two"), delete(task["id"]), delete(str(uuid4()))
    responses = at_once(lambda _: send(ada, *operations, mode="independent", key="together"))
    assert {one.status_code for one in responses} == {200}
    assert sum("Idempotency-Replayed" in one.headers for one in responses) == AT_ONCE - 1
    bodies = [one.json() for one in responses]
    for body in bodies:
        assert body["results"][3]["problem"].pop("instance")
    assert all(body == bodies[0] for body in bodies)
    assert sorted(ada.titles()) == ["one", "two"]
    assert ada.create()["revision"] == bodies[0]["revision"] + 1 == 5


LOCK = "SELECT FROM accounts WHERE user_id = %s FOR UPDATE"
# What another process does in its turn: it changes every task of the user.
OTHERS_WRITE = """
    WITH account AS (UPDATE accounts SET revision = revision + 1 WHERE user_id = %(user)s RETURNING revision)
    UPDATE tasks SET title = 'changed', revision = account.revision FROM account WHERE user_id = %(user)s
"""


def test_a_batch_decides_by_what_is_there_when_it_has_its_turn(database: str, ada: User) -> None:
    task = ada.create()
    operations = update(task["id"], title="b", if_revision=1), create()
    with ThreadPoolExecutor() as pool, psycopg.connect(database) as other:
        other.execute(LOCK, [ada.id])
        waiting = pool.submit(send, ada, *operations)
        wait_for_locks(database, 1)
        other.execute(OTHERS_WRITE, {"user": ada.id})
        other.commit()
        failed = waiting.result().json()["results"]
    assert statuses(failed) == [412, 424]
    assert (failed[0]["problem"]["task"]["title"], failed[0]["problem"]["task"]["revision"]) == ("changed", 2)


def test_a_keyed_batch_waits_for_the_first_one_in_another_process(database: str, ada: User) -> None:
    first = send(ada, create("one"), key="elsewhere")
    # As if the first request had not committed yet.
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE idempotency_keys SET key = 'hidden' WHERE user_id = %s", [ada.id])
    with ThreadPoolExecutor() as pool, psycopg.connect(database) as other:
        other.execute(LOCK, [ada.id])
        again = pool.submit(send, ada, create("one"), key="elsewhere")
        wait_for_locks(database, 1)
        other.execute("UPDATE idempotency_keys SET key = 'elsewhere' WHERE user_id = %s", [ada.id])
        other.commit()
        assert again.result().headers["Idempotency-Replayed"] == "true"
        assert again.result().json() == first.json()
