"""Rules of recurrence as clients send them: what is left out, and what cannot be.

The contract says which members go together. What depends on the task's `due_date` is here.
"""

from calendar import month_name
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple, cast

from storage.errors import ImpossibleRecurrence
from storage.recurrence import WEEKDAYS, Recurrence, next_slot

_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# What decides when a schedule ends, and what is missed, but not which slots it has.
_NOT_IN_THE_SCHEDULE = {"until", "count", "missed"}


class Schedule(NamedTuple):
    """The rule of a recurring task, the slot in which it is, and whether the schedule begins with this task."""

    rule: Recurrence
    slot: date
    begins_anew: bool = False


def normalised(given: Mapping[str, Any], due_date: date) -> Recurrence:
    """Return a rule in which nothing is left out: the days that it does not name are those of the due date.

    `given` is valid by the contract. A rule that this function has returned stays as it is, whatever the due date.
    """
    rule: dict[str, Any] = {"interval": 1, "from": "due", **given}
    by_month = rule["frequency"] in ("monthly", "yearly") and "nth_weekday" not in rule
    if rule["from"] == "due":
        rule.setdefault("missed", "skip")
        if rule["frequency"] == "weekly":
            rule.setdefault("weekdays", [WEEKDAYS[due_date.weekday()]])
        elif by_month:
            rule.setdefault("month_day", due_date.day)
    if by_month:
        rule.setdefault("month_end", "last_day")
    if "weekdays" in rule:
        rule["weekdays"] = sorted(rule["weekdays"], key=WEEKDAYS.index)
    if "until" in rule:
        rule["until"] = str(rule["until"])
    return cast("Recurrence", rule)


def scheduled(given: Mapping[str, Any], due_date: date, current: Schedule | None) -> Schedule:
    """Return the schedule of a task that is due on this day, once a client has set this rule.

    `given` is valid by the contract, `current` is the task's schedule so far. A rule that is already the task's changes
    nothing, and one with other slots begins at the due date. Raises ImpossibleRecurrence.
    """
    rule = normalised(given, due_date)
    if current and rule == current.rule:
        return current
    begins_anew = current is None or not _same_schedule(rule, current.rule)
    slot = due_date if current is None or begins_anew else current.slot
    _check(rule, slot, "due_date" if slot == due_date else "occurrence_date")
    return Schedule(rule, slot, begins_anew)


def _check(rule: Recurrence, slot: date, name: str) -> None:
    longest = _LONGEST[slot.month - 1]
    if rule["frequency"] == "yearly" and rule.get("month_day", 0) > longest:
        month = month_name[slot.month]
        raise ImpossibleRecurrence("month_day", f"must be at most {longest}, because {name} is in {month}")
    if "until" in rule and rule["until"] < slot.isoformat():
        raise ImpossibleRecurrence("until", f"must not be before {name}, which is {slot}")
    if rule["from"] == "due" and next_slot(rule, slot, slot) is None:
        raise ImpossibleRecurrence(None, f"has no date after {name}, which is {slot}")


def _same_schedule(rule: Recurrence, other: Recurrence) -> bool:
    names = (rule.keys() | other.keys()) - _NOT_IN_THE_SCHEDULE
    return all(rule.get(name) == other.get(name) for name in names)
