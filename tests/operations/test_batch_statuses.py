"""Each operation of a batch has the status, and the problem, that a single request would have had."""

from uuid import uuid4

import pytest

from tests.support.batches import create, delete, replace, restore, results, run, send, statuses, update
from tests.support.client import Json, User

ABSENT = "00000000-0000-4000-8000-000000000000"
MODES = pytest.mark.parametrize("mode", ["atomic", "independent"])


def kind(result: Json) -> str:
    """Return the end of the type of a result's problem."""
    problem: str = result["problem"]["type"]
    return problem.removeprefix("urn:problem-type:todo-api:")


def in_trash(user: User, title: str = "deleted") -> str:
    """Return the id of a task that is in the trash."""
    task: Json = user.create(title)
    assert user.request("DELETE", f"/tasks/{task['id']}").status_code == 204
    return str(task["id"])


@MODES
@pytest.mark.parametrize(
    "operation", [update(ABSENT, title="b"), delete(ABSENT), delete(ABSENT, if_revision=1), restore(ABSENT)], ids=str
)
def test_a_task_that_is_not_there_is_404(ada: User, mode: str, operation: Json) -> None:
    response = send(ada, operation, mode=mode)
    (result,) = response.json()["results"]
    request_id = response.headers["X-Request-ID"]
    assert result == {
        "status": 404,
        "id": ABSENT,
        "problem": {
            "type": "urn:problem-type:todo-api:not-found",
            "title": "Not Found",
            "status": 404,
            "detail": "There is no such task.",
            "instance": f"urn:request:{request_id}",
        },
    }


@MODES
def test_a_task_in_the_trash_is_404_for_update_and_delete(ada: User, mode: str) -> None:
    deleted = in_trash(ada)
    for operation in (update(deleted, title="b"), update(deleted, title="b", if_revision=2), delete(deleted)):
        (result,) = results(ada, operation, mode=mode)
        assert (result["status"], kind(result)) == (404, "not-found")
        assert "task" not in result["problem"]


@MODES
def test_another_revision_is_412_with_the_task_as_it_is_now(ada: User, mode: str) -> None:
    task = ada.create()
    task = ada.patch(task["id"], {"title": "b"}).json()
    for operation in (
        replace(task["id"], "c", if_revision=1),
        update(task["id"], title="c", if_revision=3),
        # A patch that would change nothing is rejected too: its sender has seen another state of the task.
        update(task["id"], if_revision=1),
        delete(task["id"], if_revision=1),
    ):
        (result,) = results(ada, operation, mode=mode)
        assert (result["status"], kind(result)) == (412, "precondition-failed")
        assert result["problem"]["task"] == task
        assert "task" not in result
    assert ada.get(f"/tasks/{task['id']}").json() == task


@MODES
def test_the_required_revision_allows_the_write(ada: User, mode: str) -> None:
    tasks = [ada.create() for _ in range(3)]
    done = run(
        ada,
        replace(tasks[0]["id"], "b", if_revision=1),
        update(tasks[1]["id"], title="b", if_revision=2),
        delete(tasks[2]["id"], if_revision=3),
        mode=mode,
    )
    assert statuses(done["results"]) == [200, 200, 204]


@MODES
def test_replace_with_a_revision_of_a_task_that_is_not_there_is_412_without_one(ada: User, mode: str) -> None:
    for task_id in (str(uuid4()), in_trash(ada)):
        (result,) = results(ada, replace(task_id, if_revision=1), mode=mode)
        assert (result["status"], kind(result)) == (412, "precondition-failed")
        assert result["problem"]["task"] is None


@MODES
def test_create_of_an_id_that_is_there_is_409_with_the_task(ada: User, mode: str) -> None:
    task = ada.create()
    (result,) = results(ada, create("another", id=task["id"]), mode=mode)
    assert (result["status"], result["id"], kind(result)) == (409, task["id"], "conflict")
    assert result["problem"]["task"] == task
    assert "members" not in result["problem"]


@MODES
def test_create_and_replace_of_an_id_in_the_trash_is_409_without_a_task(ada: User, mode: str) -> None:
    deleted = in_trash(ada)
    for operation in (create("another", id=deleted), replace(deleted, "another")):
        (result,) = results(ada, operation, mode=mode)
        assert (result["status"], kind(result)) == (409, "conflict")
        assert "task" not in result["problem"]


def test_restore_brings_a_task_back_as_it_was(ada: User) -> None:
    task = ada.create("kept", description="d", completed=True, tags=["a"])
    ada.request("DELETE", f"/tasks/{task['id']}")
    (result,) = run(ada, restore(task["id"]))["results"]
    assert result["status"] == 200
    assert result["task"] == task | {"revision": 3, "updated_at": result["task"]["updated_at"]}
    assert result["task"]["updated_at"] > task["updated_at"]
    assert ada.get(f"/tasks/{task['id']}").json() == result["task"]


@MODES
def test_the_statuses_are_those_of_single_requests(ada: User, grace: User, mode: str) -> None:
    # Grace sends one by one what Ada sends in a batch. The ids need not differ, because no user reaches another's.
    task_id, deleted_id = str(uuid4()), str(uuid4())
    for user in (ada, grace):
        run(user, create("there", id=task_id), create("deleted", id=deleted_id))
        run(user, delete(deleted_id))
    found = [
        results(ada, operation, mode=mode)[0]
        for operation in (
            update(deleted_id, title="b"),
            update(task_id, title="b", if_revision=7),
            update(task_id, title="b", if_revision=1),
            delete(deleted_id),
            delete(task_id, if_revision=7),
            delete(task_id),
            delete(task_id),
        )
    ]
    singles = [
        grace.patch(deleted_id, {"title": "b"}),
        grace.patch(task_id, {"title": "b"}, headers={"If-Match": '"7"'}),
        grace.patch(task_id, {"title": "b"}, headers={"If-Match": '"1"'}),
        grace.request("DELETE", f"/tasks/{deleted_id}"),
        grace.request("DELETE", f"/tasks/{task_id}", headers={"If-Match": '"7"'}),
        grace.request("DELETE", f"/tasks/{task_id}"),
        grace.request("DELETE", f"/tasks/{task_id}"),
    ]
    assert statuses(found) == [one.status_code for one in singles] == [404, 412, 200, 404, 412, 204, 404]
    for batched, single in zip(found, singles, strict=True):
        if single.status_code >= 400:
            assert batched["problem"]["detail"] == single.json()["detail"]
            assert batched["problem"].keys() == single.json().keys()
