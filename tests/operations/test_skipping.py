"""Skipping an occurrence moves the task to the next one without completing it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.client import User
from tests.support.recurrence import DAILY, MONTHLY, complete, following, skip


def problem(response: Any) -> tuple[int, str]:
    """Return the status and the kind of a problem."""
    return response.status_code, response.json()["type"].rpartition(":")[2]


def test_only_the_dates_change(ada: User) -> None:
    clock = {"due_time": "09:00", "time_zone": "Europe/Berlin"}
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY, **clock)
    response = skip(ada, task)
    skipped = response.json()
    dates = {"due_date": "2096-02-29", "occurrence_date": "2096-02-29", "due_at": "2096-02-29T08:00:00Z"}
    assert skipped == task | dates | {"updated_at": skipped["updated_at"], "revision": 2}
    assert response.headers["ETag"] == '"2"'
    assert ada.read(task) == skipped
    assert following(ada, skipped)["due_date"] == "2096-03-31"


def test_a_postponed_occurrence_goes_on_with_the_schedule(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    ada.patch(task["id"], {"due_date": "2096-02-03"})
    assert skip(ada, task).json()["due_date"] == "2096-02-29"


def test_with_keep_a_postponed_occurrence_may_come_forward(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY | {"missed": "keep"})
    ada.patch(task["id"], {"due_date": "2096-06-15"})
    assert skip(ada, task).json()["due_date"] == "2096-02-29"


def test_a_subtask_in_the_trash_stays_as_it_is(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    kept, deleted = (ada.create(due_date="2096-01-30", parent_id=task["id"]) for _ in range(2))
    ada.delete(deleted["id"])
    assert skip(ada, task).json()["due_date"] == "2096-02-29"
    assert ada.read(kept)["due_date"] == "2096-02-28"
    restored = ada.request("POST", f"/trash/{deleted['id']}/restore").json()
    assert (restored["parent_id"], restored["due_date"]) == (task["id"], "2096-01-30")


def test_a_skipped_occurrence_counts(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY | {"count": 2})
    assert skip(ada, task).json()["recurrence"]["count"] == 1
    response = skip(ada, task)
    assert problem(response) == (409, "no-next-occurrence")
    detail = "No later occurrence of the series is left to skip to. Complete or delete this one."
    assert response.json()["detail"] == detail
    ada.patch(task["id"], {"completed": True})
    assert skip(ada, task).json()["detail"] == "The task is completed, and has no next occurrence."


def test_from_completion_the_later_of_today_and_the_due_date_counts(ada: User) -> None:
    rule = DAILY | {"interval": 7, "from": "completion"}
    today = datetime.now(UTC).date()
    assert skip(ada, ada.create(due_date="2096-01-31", recurrence=rule)).json()["due_date"] == "2096-02-07"
    overdue = ada.create(due_date="2020-01-31", recurrence=rule)
    assert skip(ada, overdue).json()["due_date"] in {str(today + timedelta(days=days)) for days in (7, 8)}


def test_there_must_be_something_to_skip(ada: User) -> None:
    plain = ada.create(due_date="2096-01-31")
    assert problem(skip(ada, plain)) == (409, "no-next-occurrence")
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    complete(ada, task)
    assert problem(skip(ada, task)) == (409, "no-next-occurrence")
    ada.delete(task["id"])
    assert skip(ada, task).status_code == 404


@pytest.mark.parametrize(("tag", "status"), [('"1"', 200), ('"2"', 412)])
def test_if_match_is_checked(ada: User, tag: str, status: int) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    response = skip(ada, task, headers={"If-Match": tag})
    assert response.status_code == status
    assert ada.revision() == (2 if status == 200 else 1)
