"""What a write does to the series of a recurring task: pure functions of the task, of new values and of the time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from uuid6 import uuid7

from storage import due, positions, time_zones
from storage.errors import NoDueDate, NoNextOccurrence, RecurringSubtask
from storage.recurrence import Recurrence, local_day, passed_day, successor
from storage.recurrence_rules import Schedule, scheduled

NO_NEXT: Mapping[str, None] = {"next_task_id": None, "next_revision": None}
LEFT: Mapping[str, None] = {"recurrence": None, "series_id": None, "occurrence_date": None, **NO_NEXT}
"""The values of a task that belongs to no series."""


class Now(NamedTuple):
    """The time of a write, and the time zone that its user prefers, if there is one."""

    at: datetime
    time_zone: str | None


class Step(NamedTuple):
    """What a write does: the new values of the task, those of the next occurrence that are not copied, and a removal.

    `following` is None if the write creates no next occurrence. `removes_next` is whether it removes the one that is
    there, which must be as it was created.
    """

    values: dict[str, Any]
    following: dict[str, Any] | None = None
    removes_next: bool = False


def settled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return new values of a task with all that follows from them alone: without a date, it does not recur."""
    new = due.settled(values)
    if "due_date" in new and new["due_date"] is None:
        new["recurrence"] = None
    return new


def of_new_task(values: Mapping[str, Any], now: Now) -> Step:
    """Return what creating a task with these values does. Raises ImpossibleRecurrence and RecurringSubtask.

    The values of a task that does not recur have none of the names in LEFT.
    """
    new = due.of_new_task(values)
    given = new.pop("recurrence", None)
    if given is None:
        return Step(new)
    _check_parent(new.get("parent_id"))
    new |= _begun(scheduled(given, new["due_date"], None))
    return _completed(new, new, now) if new["completed"] else Step(new)


def of_task(task: Any, values: Mapping[str, Any], now: Now, *, keep_next: bool = False) -> Step:
    """Return what giving a task these values does. Raises NoDueDate, ImpossibleRecurrence and RecurringSubtask."""
    new = due.of_task(task, values)
    if new.get("recurrence", ...) is None or new.get("due_date", ...) is None:
        return Step({**new, **LEFT})
    if "recurrence" in new:
        new |= _rescheduled(task, new)
    after = task._replace(**new)
    if keep_next and task.next_task_id is not None and task.completed and not after.completed:
        return Step({**new, **LEFT})
    if after.recurrence is not None:
        _check_parent(after.parent_id)
    if after.recurrence is None or after.completed == task.completed:
        return Step(new)
    if after.completed:
        step = _completed(after._asdict(), new, now)
        return _set_aside(after, step) if after.position == task.position else step
    return _reopened(after, new)


def skipped(task: Any, now: Now) -> Step:
    """Return what skipping an occurrence does. Raises NoNextOccurrence."""
    if task.recurrence is None:
        raise NoNextOccurrence("The task does not recur.")
    if task.completed:
        if task.next_task_id is None:
            raise NoNextOccurrence("The task is completed, and has no next occurrence.")
        raise NoNextOccurrence("The task is completed. Skip the open occurrence of its series, if there is one.")
    found = _successor(task._asdict(), now, is_skipped=True)
    if found is None:
        raise NoNextOccurrence("No later occurrence of the series is left to skip to. Complete or delete this one.")
    return Step(found)


def is_as_created(following: Any, task: Any, time_zone: str | None) -> bool:
    """Return whether an occurrence has all values with which completing the task before it would create it.

    `time_zone` is the one that the user prefers.
    """
    found = _successor(task._asdict(), Now(task.completed_at, time_zone))
    if found is None:
        return False
    own = {name: getattr(following, name) for name in ("id", "created_at", "updated_at", "revision")}
    place = positions.in_front(task.position, following.id)
    fresh = {"completed": False, "completed_at": None, "position": place, **NO_NEXT}
    return bool(following == task._replace(**own, **fresh, **found))


def _check_parent(parent_id: UUID | None) -> None:
    """Raise RecurringSubtask if a task that recurs has a parent."""
    if parent_id is not None:
        raise RecurringSubtask


def _begun(schedule: Schedule) -> dict[str, Any]:
    return {"recurrence": schedule.rule, "occurrence_date": schedule.slot, "series_id": _new_id()}


def _rescheduled(task: Any, new: Mapping[str, Any]) -> dict[str, Any]:
    due_date = new.get("due_date", task.due_date)
    if due_date is None:
        raise NoDueDate
    current = Schedule(task.recurrence, task.occurrence_date) if task.recurrence else None
    schedule = scheduled(new["recurrence"], due_date, current)
    return _begun(schedule) if schedule.begins_anew else {"recurrence": schedule.rule}


def _completed(task: Mapping[str, Any], new: dict[str, Any], now: Now) -> Step:
    found = _successor(task, now)
    if found is None:
        return Step(new)
    following = {"id": _new_id(), **found}
    return Step({**new, "next_task_id": following["id"]}, following)


def _set_aside(task: Any, step: Step) -> Step:
    """Return what completing does if the next occurrence takes the place of the task, which comes right behind it."""
    if step.following is None:
        return step
    place = positions.behind(task.position, step.following["id"])
    following = {**step.following, "position": task.position}
    return step._replace(values={**step.values, "position": place}, following=following)


def _reopened(task: Any, new: dict[str, Any]) -> Step:
    if task.next_task_id is None:
        return Step(new)
    place = positions.in_front(task.position, task.next_task_id)
    return Step({**new, **NO_NEXT, "position": place}, removes_next=True)


def _successor(task: Mapping[str, Any], now: Now, *, is_skipped: bool = False) -> dict[str, Any] | None:
    """Return the values of the occurrence after this one, or None if the series ends."""
    rule: Recurrence = task["recurrence"]
    zone = time_zones.zone(task["time_zone"] or now.time_zone or "UTC")
    today, passed = local_day(now.at, zone), passed_day(now.at, zone, task["due_time"])
    if is_skipped:
        today, passed = max(today, task["due_date"]), max(passed, task["due_date"])
    found = successor(rule, task["occurrence_date"], today, passed)
    if found is None:
        return None
    slot, rule = found
    due_at = due.instant_of(slot, task["due_time"], task["time_zone"])
    return {"due_date": slot, "due_at": due_at, "occurrence_date": slot, "recurrence": rule}


def _new_id() -> UUID:
    # The library's own subclass cannot be written as JSON.
    return UUID(int=uuid7().int)
