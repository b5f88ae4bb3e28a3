"""An operation of a batch that fails says what the task is like, if it is there."""

from uuid import uuid4

import pytest

from tests.support.batches import create, delete, results, run, statuses, update
from tests.support.client import Json, User
from tests.support.recurrence import DAILY, following
from tests.support.subtasks import family, now


def problems(user: User, *operations: Json, mode: str = "independent") -> list[Json]:
    """Send operations, and return the problems of those that fail."""
    return [one["problem"] for one in results(user, *operations, mode=mode) if "problem" in one]


def refusals(user: User) -> dict[str, Json]:
    """Return an operation on an existing task for each reason that no revision or member stands for."""
    top, child, grandchild = family(user)
    completed, series = (user.create(due_date="2026-12-01", recurrence=DAILY) for _ in range(2))
    user.patch(following(user, completed)["id"], {"title": "Changed"})
    return {
        "no-due-date": update(top["id"], due_time="09:00"),
        "no-such-list": update(top["id"], list_id=str(uuid4())),
        "no-such-parent": update(top["id"], parent_id=str(uuid4())),
        "parent-cycle": update(top["id"], parent_id=grandchild["id"]),
        "too-deep": update(user.create()["id"], parent_id=grandchild["id"]),
        "list-of-parent": update(child["id"], list_id=str(uuid4())),
        "recurring-subtask": update(series["id"], parent_id=top["id"]),
        "series-moved-on": update(completed["id"], completed=False),
        "invalid-input": update(series["id"], recurrence={**DAILY, "until": "2001-01-01"}),
    }


@pytest.mark.parametrize("mode", ["atomic", "independent"])
def test_whatever_the_reason_the_problem_has_the_task(ada: User, mode: str) -> None:
    for kind, operation in refusals(ada).items():
        (problem,) = problems(ada, operation, mode=mode)
        assert (problem["type"].rpartition(":")[2], problem["task"]) == (kind, now(ada, operation))


def test_a_repeated_batch_has_the_task_as_it_is_by_then(ada: User) -> None:
    task, key = ada.create(), str(uuid4())
    operation = update(task["id"], list_id=str(uuid4()))
    run(ada, operation, mode="independent", key=key)
    renamed = ada.patch(task["id"], {"title": "Renamed"}).json()
    (result,) = run(ada, operation, mode="independent", key=key)["results"]
    assert result["problem"]["task"] == renamed


def test_without_a_task_there_is_none(ada: User) -> None:
    task = ada.create()
    ada.delete(task["id"])
    found = problems(ada, update(str(uuid4()), title="New"), create("A task", parent_id=str(uuid4())))
    found += problems(ada, create(id=task["id"]))
    assert not [one for one in found if "task" in one]


def test_what_an_atomic_batch_shows_is_what_is_stored(ada: User) -> None:
    moved = ada.request("POST", "/lists", json={"name": "Errands"}).json()["id"]
    parent, child, _ = family(ada)
    stale = update(child["id"], if_revision=999, title="New")
    (problem,) = problems(ada, update(parent["id"], list_id=moved), stale, mode="atomic")
    assert problem["task"] == child


def test_a_subtask_that_goes_with_its_parent_needs_the_revision_that_its_own_deletion_names(ada: User) -> None:
    parent, child, _ = family(ada)
    operations = delete(parent["id"]), delete(child["id"], if_revision=999)
    assert [one["task"] for one in problems(ada, *operations, mode="atomic")] == [child]
    found = results(ada, *operations, mode="independent")
    assert (statuses(found), found[1]["problem"]["task"]) == ([204, 412], None)
