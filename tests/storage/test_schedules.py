"""Schedules beside those of dateutil, and RRULE texts beside their expansion by the iCalendar ecosystem.

These tests translate the rules for dateutil themselves, and reckon month ends with its `relativedelta`.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events
from dateutil import rrule as dateutil
from dateutil.relativedelta import relativedelta
from dateutil.tz import resolve_imaginary
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from icalendar import Calendar

from storage.errors import ImpossibleRecurrence
from storage.recurrence import WEEKDAYS, Recurrence, local_day, passed_day, successor
from storage.recurrence_rules import Schedule, scheduled
from storage.recurrence_text import rrule

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)
FREQUENCIES: dict[str, Any] = {
    "daily": dateutil.DAILY,
    "weekly": dateutil.WEEKLY,
    "monthly": dateutil.MONTHLY,
    "yearly": dateutil.YEARLY,
}
NUMBER = 8
TIMES = st.none() | st.builds(time, st.integers(0, 23), st.integers(0, 59))
DAYS = st.dates(date(1990, 1, 1), date(2060, 12, 31)) | st.sampled_from([date(2028, 2, 29), date(2027, 1, 31)])
INTERVALS = st.integers(1, 5) | st.integers(1, 60) | st.sampled_from([12, 24, 999])


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Return a rule as a client sends it, without an end."""
    rule: dict[str, Any] = {"frequency": draw(st.sampled_from(sorted(FREQUENCIES))), "interval": draw(INTERVALS)}
    if rule["frequency"] == "weekly":
        rule["weekdays"] = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True))
    if rule["frequency"] in ("monthly", "yearly"):
        if draw(st.booleans()):
            nth = {"nth": draw(st.sampled_from([1, 2, 3, 4, 5, -1])), "weekday": draw(st.sampled_from(WEEKDAYS))}
            return {**rule, "nth_weekday": nth}
        rule["month_day"] = draw(st.integers(1, 31) | st.sampled_from([-1, 29, 30, 31]))
        rule["month_end"] = draw(st.sampled_from(["last_day", "skip"]))
    return rule


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Return the schedule of an occurrence, from a day on that the rule has."""
    given, day = draw(rules()), draw(DAYS)
    try:
        made = scheduled({**given, "missed": "keep"}, day, None)
    except ImpossibleRecurrence:
        reject()
    return Schedule(made.rule, next(islice(slots(made), 1, None)))


def slots(schedule: Schedule) -> Iterator[date]:
    """Return the slots of a schedule, each completed on its day."""
    following: tuple[date, Recurrence] | None = (schedule.slot, schedule.rule)
    while following:
        slot, rule = following
        yield slot
        following = successor(rule, slot, slot, slot)


def translated(rule: Recurrence, start: date) -> Iterator[date]:
    """Return the days that dateutil finds for a rule, from this day on."""
    if rule.get("month_end") == "last_day":
        return _month_ends(rule, start)
    options: dict[str, Any] = {}
    if "weekdays" in rule:
        options["byweekday"] = [WEEKDAYS.index(name) for name in rule["weekdays"]]
    if "nth_weekday" in rule:
        options["byweekday"] = dateutil.weekday(
            WEEKDAYS.index(rule["nth_weekday"]["weekday"]), rule["nth_weekday"]["nth"]
        )
    if "month_day" in rule:
        options["bymonthday"] = rule["month_day"]
    if rule["frequency"] == "yearly":
        options["bymonth"] = start.month
    frequency, first = FREQUENCIES[rule["frequency"]], datetime.combine(start, time())
    return (found.date() for found in dateutil.rrule(frequency, first, rule["interval"], **options))


def _month_ends(rule: Recurrence, start: date) -> Iterator[date]:
    unit, wanted = ("months" if rule["frequency"] == "monthly" else "years"), rule["month_day"]
    for number in count(0, rule["interval"]):
        step: dict[str, Any] = {unit: number}
        try:
            found = start.replace(day=1) + relativedelta(**step, day=31 if wanted == -1 else wanted)
        except ValueError:  # The calendar ends.
            return
        if found >= start:
            yield found


@settings(max_examples=300, deadline=None)
@given(rules(), DAYS)
def test_schedules_are_those_of_dateutil(rule: dict[str, Any], day: date) -> None:
    try:
        made = scheduled({**rule, "missed": "keep"}, day, None)
    except ImpossibleRecurrence as error:
        if error.member is None:
            whole: Any = {"missed": "keep", "month_end": "skip", **rule}
            assert [found for found in translated(whole, day) if found > day] == []
        return
    theirs = islice((found for found in translated(made.rule, day) if found > day), NUMBER)
    assert list(islice(slots(made), 1, NUMBER + 1)) == list(theirs)


@settings(max_examples=300, deadline=None)
@given(schedules(), st.sampled_from(ZONES), TIMES, st.timedeltas(timedelta(-30), timedelta(900)))
def test_the_next_slot_is_the_first_that_is_still_to_come(
    schedule: Schedule, zone_name: str, due_time: time | None, late: timedelta
) -> None:
    zone = ZoneInfo(zone_name)
    at = datetime.combine(schedule.slot, due_time or time(), UTC) + late
    today = local_day(at, zone)

    def is_to_come(day: date) -> bool:
        if due_time is None:
            return day > today
        return resolve_imaginary(datetime.combine(day, due_time, zone)).astimezone(UTC) > at

    rule: Recurrence = {**schedule.rule, "missed": "skip"}
    ours = successor(rule, schedule.slot, today, passed_day(at, zone, due_time))
    wanted = (day for day in translated(rule, schedule.slot) if day > schedule.slot and is_to_come(day))
    assert (ours and ours[0]) == next(wanted, None)


@settings(max_examples=150, deadline=None)
@given(
    schedules(),
    st.sampled_from([{}, {"count": 5}, {"until": 0}, {"until": 300}]),
    TIMES,
    st.none() | st.sampled_from(ZONES),
)
def test_calendars_expand_the_text_to_the_same_days(
    schedule: Schedule, end: dict[str, int], due_time: time | None, zone_name: str | None
) -> None:
    first = schedule.slot
    horizon = first + timedelta(days=3000)
    if "until" in end:
        fifth = next(islice(slots(schedule), 4, None), first)
        until: Any = {"until": str(fifth if not end["until"] else first + timedelta(end["until"]))}
    else:
        until = end
    rule: Recurrence = {**schedule.rule, **until}
    zone = ZoneInfo(zone_name) if zone_name and due_time else None
    text = rrule(rule, first, due_time, zone)
    assert text is not None
    mine = takewhile(lambda slot: slot < horizon, slots(Schedule(rule, first)))
    assert list(islice(mine, NUMBER)) == list(islice(expanded(text, first, due_time, zone, horizon), NUMBER))


def expanded(text: str, first: date, due_time: time | None, zone: ZoneInfo | None, horizon: date) -> Iterator[date]:
    """Return the days of an event with this RRULE, before the horizon."""
    if due_time is None:
        start = f"DTSTART;VALUE=DATE:{first:%Y%m%d}"
    else:
        parameter = f";TZID={zone.key}" if zone else ""
        start = f"DTSTART{parameter}:{datetime.combine(first, due_time):%Y%m%dT%H%M%S}"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:tests", "BEGIN:VEVENT", "UID:1", start, f"RRULE:{text}"]
    calendar = Calendar.from_ical("\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR", ""]))
    events = recurring_ical_events.of(calendar).between(first, horizon)
    starts = sorted(event["DTSTART"].dt for event in events)
    return (found.date() if isinstance(found, datetime) else found for found in starts)
