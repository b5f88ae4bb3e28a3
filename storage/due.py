"""When a task is due: what follows from its date, its time and its time zone. Pure functions of a task's values.

A wall time is what is stored, so 09:00 stays 09:00 when clocks change. Which instant that is follows from the rules of
the zone: a time that clocks skip counts with the offset before, and of a time that they show twice the first counts.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from storage import time_zones
from storage.errors import NoDueDate

MEMBERS = ("due_date", "due_time", "time_zone")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(microsecond=0, tzinfo=UTC)


def instant_of(day: date | None, at: time | None, time_zone: str | None) -> datetime | None:
    """Return the instant in UTC at which a task is due; None without a time, and for a time without a zone."""
    if day is None or at is None or time_zone is None:
        return None
    return instant_in(time_zone, day, at)


def instant_in(time_zone: str, day: date, at: time) -> datetime:
    """Return the instant in UTC at which it is this time in a zone; the first or last of all years at their ends."""
    local = datetime.combine(day, at, time_zones.zone(time_zone))
    try:
        return local.astimezone(UTC)
    except OverflowError:
        # It would be in the year 0 or 10000.
        return _FIRST if day.year == 1 else _LAST


def settled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return new values of a task with all that follows from them alone.

    Without a date, there is neither a time nor a zone. With all of MEMBERS, there is `due_at` too.
    """
    new = dict(values)
    if "due_date" in new and new["due_date"] is None:
        new |= {"due_time": None, "time_zone": None}
    if all(name in new for name in MEMBERS):
        new["due_at"] = instant_of(*(new[name] for name in MEMBERS))
    return new


def of_new_task(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a new task, which has neither a time nor a zone unless they are given."""
    return settled({"due_time": None, "time_zone": None, **values})


def of_task(task: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return new values of a task with all that follows from them and its present ones.

    Raises NoDueDate if the task would have a time or a zone without a date.
    """
    if not any(name in values for name in MEMBERS):
        return dict(values)
    current = {name: getattr(task, name) for name in MEMBERS}
    after = {**current, **values}
    if after["due_date"] is None and any(values.get(name) is not None for name in ("due_time", "time_zone")):
        raise NoDueDate
    return settled(after)
