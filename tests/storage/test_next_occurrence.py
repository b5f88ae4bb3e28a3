"""Whether a next occurrence is as it was created: that is reckoned for the time of the completion, weeks later too."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from storage import series
from storage.recurrence import Recurrence
from storage.series import NO_NEXT, Now
from storage.tasks import Task

# A day later in the zone.
THEN, ZONE = datetime(2026, 1, 5, 23, 30, tzinfo=UTC), "Pacific/Kiritimati"
RULES: list[Recurrence] = [
    {"frequency": "daily", "interval": 1, "from": "due", "missed": "skip"},
    {"frequency": "daily", "interval": 1, "from": "due", "missed": "keep"},
    {"frequency": "daily", "interval": 3, "from": "completion"},
    {"frequency": "weekly", "interval": 1, "weekdays": ["monday"], "from": "due", "missed": "skip", "count": 5},
]


def completed(rule: Recurrence) -> tuple[Task, Task]:
    """Return an occurrence that was completed then, and the next one."""
    fields: dict[str, Any] = dict.fromkeys(Task._fields)
    fields |= {"id": UUID(int=1), "completed": False, "due_date": date(2026, 1, 1), "position": "V", "tags": []}
    task = Task(**{**fields, "recurrence": rule, "occurrence_date": date(2026, 1, 1)})
    step = series.of_task(task, {"completed": True}, Now(THEN, ZONE))
    assert step.following is not None
    done = task._replace(**step.values, completed_at=THEN)
    fresh: dict[str, Any] = {"completed": False, "completed_at": None, **NO_NEXT}
    return done, done._replace(**step.following, **fresh)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_next_occurrence_is_as_it_was_created_weeks_later(rule: Recurrence) -> None:
    done, following = completed(rule)
    assert series.is_as_created(following._replace(revision=9), done, ZONE)
    changes: list[dict[str, Any]] = [
        {"title": "New"},
        {"completed": True},
        {"position": "a"},
        {"due_date": THEN.date()},
    ]
    assert not any(series.is_as_created(following._replace(**change), done, ZONE) for change in changes)
