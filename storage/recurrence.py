"""Recurrence: which day comes next.

A rule has the form of the contract's `Recurrence`, as `storage/recurrence_rules.py` completes it. A slot is a day of
its schedule. Days are local, without a zone; only the day and the time of a completion are reckoned in one.

The arithmetic is our own, not dateutil's: an iterator from the first slot on would take as long as the series is old,
and does not end for a rule that has no more dates. Here no rule takes more than `_MOST_STEPS` steps.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NotRequired, TypedDict


class NthWeekday(TypedDict):
    """A weekday of a month: its first (1) to fifth (5), or its last (-1)."""

    nth: int
    weekday: str


Recurrence = TypedDict(
    "Recurrence",
    {
        "frequency": str,
        "interval": int,
        "weekdays": NotRequired[list[str]],
        "month_day": NotRequired[int],
        "nth_weekday": NotRequired[NthWeekday],
        "until": NotRequired[str],
        "count": NotRequired[int],
        "from": str,
        "missed": NotRequired[str],
        "month_end": NotRequired[str],
    },
)
"""A complete rule. `until` is a date in ISO 8601; `count` is how many occurrences are left, this one included."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
# The Gregorian calendar repeats after 400 years, so a yearly rule without a date in 400 steps never has one. The other
# steps of a monthly rule meet several months of the year, and find a date much sooner.
_MOST_STEPS = 400


def successor(rule: Recurrence, slot: date, today: date, passed: date) -> tuple[date, Recurrence] | None:
    """Return the slot and the rule of the occurrence after this one, or None if the series ends with it.

    `slot` is that of the occurrence, `today` the local day on which it is completed, and `passed` the latest day whose
    slot has passed by then (see `passed_day`).
    """
    if rule.get("count") == 1:
        return None
    following = next_slot(rule, today, today) if rule["from"] == "completion" else next_slot(rule, slot, passed)
    if following is None or ("until" in rule and following.isoformat() > rule["until"]):
        return None
    return following, rule if "count" not in rule else {**rule, "count": rule["count"] - 1}


def next_slot(rule: Recurrence, slot: date, passed: date) -> date | None:
    """Return the first slot after `slot`, and after `passed` if the rule skips what was missed.

    None if there is none before the year 10000. `until` and `count` are not considered.
    """
    after = max(slot, passed) if rule.get("missed") == "skip" else slot
    try:
        match rule["frequency"]:
            case "daily":
                return _next_day(rule["interval"], slot, after)
            case "weekly":
                return _next_in_weeks(rule, slot, after)
            case _:
                return _next_in_months(rule, slot, after)
    except OverflowError:
        return None


def local_day(at: datetime, zone: tzinfo) -> date:
    """Return the day in this zone at a time that has a zone of its own."""
    return at.astimezone(zone).date()


def passed_day(at: datetime, zone: tzinfo, due_time: time | None) -> date:
    """Return the latest day whose slot has passed at this time: today, or yesterday if today's time is still to come.

    A slot without a time passes when its day begins. A time in the gap of a change of clocks counts with the offset
    before it, and of a time that occurs twice, the first counts.
    """
    today = local_day(at, zone)
    if due_time is None or datetime.combine(today, due_time, zone).astimezone(UTC) <= at:
        return today
    return today - _DAY


def _next_day(interval: int, slot: date, after: date) -> date:
    steps = (after - slot).days // interval + 1
    return slot + steps * interval * _DAY


def _next_in_weeks(rule: Recurrence, slot: date, after: date) -> date:
    """Return the next of the rule's weekdays in a week that counts. Weeks begin on Monday (ISO 8601, RFC 5545)."""
    days = [WEEKDAYS.index(name) for name in rule.get("weekdays", ())] or [slot.weekday()]
    first_week = slot - slot.weekday() * _DAY
    weeks, weekday = divmod((after - first_week).days, 7)
    beyond = weeks % rule["interval"]
    if not beyond and days[-1] > weekday:
        return after + (next(day for day in days if day > weekday) - weekday) * _DAY
    return first_week + (7 * (weeks - beyond + rule["interval"]) + days[0]) * _DAY


def _next_in_months(rule: Recurrence, slot: date, after: date) -> date | None:
    """Return the first date after `after` in a month that counts."""
    step = rule["interval"] * (12 if rule["frequency"] == "yearly" else 1)
    passed_steps = ((after.year - slot.year) * 12 + after.month - slot.month) // step
    first = slot.year * 12 + slot.month - 1 + passed_steps * step
    for months in range(first, first + _MOST_STEPS * step, step):
        year, month = divmod(months, 12)
        if year > date.max.year:
            return None
        day = _day_in_month(rule, year, month + 1, slot.day)
        if day and (year, month + 1, day) > (after.year, after.month, after.day):
            return date(year, month + 1, day)
    return None


def _day_in_month(rule: Recurrence, year: int, month: int, own_day: int) -> int | None:
    """Return the day that the rule wants, or None if this month has none. A rule without a day wants `own_day`."""
    first_weekday, length = monthrange(year, month)
    if "nth_weekday" in rule:
        return _nth_weekday(rule["nth_weekday"], first_weekday, length)
    wanted = rule.get("month_day", own_day)
    if wanted == -1:
        return length
    if wanted > length:
        return length if rule["month_end"] == "last_day" else None
    return wanted


def _nth_weekday(wanted: NthWeekday, first_weekday: int, length: int) -> int | None:
    first = 1 + (WEEKDAYS.index(wanted["weekday"]) - first_weekday) % 7
    if wanted["nth"] == -1:
        return first + (length - first) // 7 * 7
    day = first + 7 * (wanted["nth"] - 1)
    return day if day <= length else None
