"""An atomic batch writes everything or nothing and reports every failure; an independent one does what it can."""

from uuid import uuid4

from tests.support.batches import create, delete, replace, restore, run, send, statuses, update
from tests.support.client import User


def test_a_batch_is_atomic_unless_it_says_otherwise(ada: User) -> None:
    operations = create("new"), delete(str(uuid4()))
    assert send(ada, *operations).status_code == 409
    assert send(ada, *operations, mode="atomic").status_code == 409
    assert send(ada, *operations, mode="independent").status_code == 200


def test_a_failed_atomic_batch_writes_nothing(ada: User) -> None:
    task, other = ada.create("first"), ada.create("second")
    tag = ada.get("/tasks").headers["ETag"]
    failed = send(
        ada, create("new"), update(task["id"], title="b"), delete(other["id"]), update(str(uuid4()), title="c")
    )
    assert failed.status_code == 409
    assert failed.headers["Content-Type"] == "application/problem+json"
    assert ada.get("/tasks", headers={"If-None-Match": tag}).status_code == 304
    assert ada.create("next")["revision"] == 3


def test_a_failed_atomic_batch_leaves_a_new_user_without_writes(ada: User) -> None:
    assert send(ada, create("new"), delete(str(uuid4()))).status_code == 409
    assert ada.get("/tasks").headers["ETag"] == 'W/"0"'
    assert ada.create()["revision"] == 1


def test_a_failed_atomic_batch_reports_all_failures_with_the_tasks_as_they_are_now(ada: User) -> None:
    task, other, third = ada.create("a"), ada.create("b"), ada.create("c")
    absent, chosen = str(uuid4()), str(uuid4())
    failed = send(
        ada,
        create("new"),
        create("chosen", id=chosen),
        update(task["id"], title="x", if_revision=7),
        create("again", id=other["id"]),
        delete(absent),
        update(third["id"], title="x", base={"title": "y"}),
    )
    assert failed.status_code == 409
    problem = failed.json()
    assert problem["type"] == "urn:problem-type:todo-api:batch-failed"
    assert problem["detail"] == "4 of 6 operations failed, so nothing was written."
    found = problem["results"]
    assert found[:2] == [{"status": 424, "id": None}, {"status": 424, "id": chosen}]
    assert statuses(found[2:]) == [412, 409, 404, 409]
    assert [one["id"] for one in found[2:]] == [task["id"], other["id"], absent, third["id"]]
    assert [one["problem"].get("task") for one in found[2:]] == [task, other, None, third]
    assert {one["problem"]["instance"] for one in found[2:]} == {problem["instance"]}


def test_an_independent_batch_does_what_it_can(ada: User) -> None:
    task, other = ada.create("a"), ada.create("b")
    done = run(
        ada,
        create("new"),
        update(task["id"], title="x", if_revision=7),
        update(other["id"], title="x"),
        restore(str(uuid4())),
        replace(str(uuid4()), "y"),
        mode="independent",
    )
    assert statuses(done["results"]) == [201, 412, 200, 404, 201]
    assert sorted(ada.titles()) == ["a", "new", "x", "y"]


def test_failures_of_an_independent_batch_take_no_revision(ada: User) -> None:
    task = ada.create()
    done = run(ada, create("a"), delete(str(uuid4())), create("b"), update(task["id"]), create("c"), mode="independent")
    assert [one["task"]["revision"] for one in done["results"] if "task" in one] == [2, 3, 1, 4]
    assert done["revision"] == 4


def test_an_independent_batch_in_which_all_fail_writes_nothing(ada: User) -> None:
    done = run(ada, delete(str(uuid4())), update(str(uuid4()), title="b"), mode="independent")
    assert (done["revision"], statuses(done["results"])) == (0, [404, 404])
    assert ada.get("/tasks").headers["ETag"] == 'W/"0"'
