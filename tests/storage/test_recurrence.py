"""Recurrence: which day comes next, without a database. `tests/operations/` has the same through HTTP."""

from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage.errors import ImpossibleRecurrence
from storage.recurrence import Recurrence, local_day, passed_day, successor
from storage.recurrence_rules import Schedule, scheduled
from storage.recurrence_text import rrule

BERLIN = ZoneInfo("Europe/Berlin")


def schedule(first: str, **rule: Any) -> list[str]:
    """Return the first thirteen slots of a rule, each completed on its day."""
    made = scheduled(rule, date.fromisoformat(first), None)
    return [str(slot) for slot, _ in islice(occurrences(made.rule, made.slot), 13)]


def occurrences(rule: Recurrence, slot: date) -> Any:
    following: tuple[date, Recurrence] | None = (slot, rule)
    while following:
        yield following
        slot, rule = following
        following = successor(rule, slot, slot, slot)


def after(first: str, today: str, passed: str | None = None, **rule: Any) -> str | None:
    """Return the slot that follows if the occurrence of this day is completed on another."""
    made = scheduled(rule, date.fromisoformat(first), None)
    days = (date.fromisoformat(today), date.fromisoformat(passed or today))
    following = successor(made.rule, made.slot, *days)
    return str(following[0]) if following else None


def test_monthly_on_the_30th_through_february() -> None:
    assert schedule("2026-12-30", frequency="monthly")[:4] == ["2026-12-30", "2027-01-30", "2027-02-28", "2027-03-30"]


def test_the_31st_twelve_times() -> None:
    days = schedule("2027-01-31", frequency="monthly", count=12)
    assert [day[5:] for day in days] == (
        ["01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31"]
    )


def test_the_31st_only_in_months_that_have_one() -> None:
    days = schedule("2027-01-31", frequency="monthly", month_end="skip")
    assert [day[5:] for day in days[:7]] == ["01-31", "03-31", "05-31", "07-31", "08-31", "10-31", "12-31"]


def test_the_last_day_of_each_month() -> None:
    days = schedule("2027-02-28", frequency="monthly", month_day=-1)
    assert [day[5:] for day in days[:4]] == ["02-28", "03-31", "04-30", "05-31"]


def test_a_leap_day_is_on_28_february_in_other_years() -> None:
    days = schedule("2028-02-29", frequency="yearly")
    assert days[:5] == ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]


def test_a_leap_day_only_in_leap_years_of_which_1900_and_2100_are_none() -> None:
    assert schedule("1896-02-29", frequency="yearly", month_end="skip")[:2] == ["1896-02-29", "1904-02-29"]
    assert schedule("2096-02-29", frequency="yearly", month_end="skip")[:2] == ["2096-02-29", "2104-02-29"]


def test_the_last_friday() -> None:
    days = schedule("2027-01-29", frequency="monthly", nth_weekday={"nth": -1, "weekday": "friday"})
    assert days[:5] == ["2027-01-29", "2027-02-26", "2027-03-26", "2027-04-30", "2027-05-28"]


def test_the_fifth_monday_skips_months_that_have_four() -> None:
    days = schedule("2027-03-29", frequency="monthly", nth_weekday={"nth": 5, "weekday": "monday"})
    assert days[:5] == ["2027-03-29", "2027-05-31", "2027-08-30", "2027-11-29", "2028-01-31"]


def test_the_fourth_thursday_of_november() -> None:
    days = schedule("2026-11-26", frequency="yearly", nth_weekday={"nth": 4, "weekday": "thursday"})
    assert days[:3] == ["2026-11-26", "2027-11-25", "2028-11-23"]


def test_every_other_week_on_several_days_of_weeks_that_begin_on_monday() -> None:
    days = schedule("2026-11-23", frequency="weekly", interval=2, weekdays=["sunday", "monday"])
    assert days[:4] == ["2026-11-23", "2026-11-29", "2026-12-07", "2026-12-13"]


def test_a_first_day_beside_the_rule_is_the_first_occurrence() -> None:
    days = schedule("2026-11-24", frequency="weekly", weekdays=["wednesday", "monday"])
    assert days[:4] == ["2026-11-24", "2026-11-25", "2026-11-30", "2026-12-02"]
    assert schedule("2027-01-10", frequency="monthly", interval=2, month_day=15)[1:3] == ["2027-01-15", "2027-03-15"]
    assert schedule("2027-01-20", frequency="monthly", interval=2, month_day=15)[1:3] == ["2027-03-15", "2027-05-15"]


def test_the_days_that_a_rule_does_not_name_are_those_of_the_due_date() -> None:
    thursday = date(2026, 12, 31)
    assert scheduled({"frequency": "weekly"}, thursday, None).rule["weekdays"] == ["thursday"]
    assert scheduled({"frequency": "monthly"}, thursday, None).rule["month_day"] == 31


def test_the_count_includes_the_first_and_the_last_day_is_included() -> None:
    assert schedule("2026-11-26", frequency="daily", count=1) == ["2026-11-26"]
    assert schedule("2026-11-26", frequency="daily", count=3) == ["2026-11-26", "2026-11-27", "2026-11-28"]
    assert schedule("2026-11-26", frequency="daily", until=date(2026, 11, 27)) == ["2026-11-26", "2026-11-27"]
    assert schedule("2026-11-26", frequency="daily", until=date(2026, 11, 26)) == ["2026-11-26"]


def test_what_was_missed_is_skipped_unless_it_is_kept() -> None:
    assert after("2026-11-01", "2026-11-26", frequency="daily") == "2026-11-27"
    assert after("2026-11-01", "2026-11-26", frequency="daily", missed="keep") == "2026-11-02"
    assert after("2026-11-02", "2026-11-26", frequency="weekly", interval=2) == "2026-11-30"
    assert after("1986-01-31", "2026-11-26", frequency="monthly") == "2026-11-30"
    assert after("2020-02-29", "2026-11-26", frequency="yearly") == "2027-02-28"


def test_an_occurrence_completed_early_is_followed_by_the_one_after_it() -> None:
    assert after("2026-11-30", "2026-11-26", frequency="weekly") == "2026-12-07"


def test_missed_occurrences_do_not_use_up_the_count() -> None:
    made = scheduled({"frequency": "daily", "count": 3}, date(2026, 11, 1), None)
    following = successor(made.rule, made.slot, date(2026, 11, 26), date(2026, 11, 26))
    assert following == (date(2026, 11, 27), {**made.rule, "count": 2})


def test_a_series_whose_last_day_was_missed_ends() -> None:
    assert after("2026-11-01", "2026-11-26", frequency="daily", until=date(2026, 11, 26)) is None


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        ({"frequency": "daily", "interval": 3}, "2027-02-03"),
        ({"frequency": "weekly"}, "2027-02-07"),
        ({"frequency": "monthly"}, "2027-02-28"),
        ({"frequency": "monthly", "month_end": "skip"}, "2027-03-31"),
        ({"frequency": "yearly"}, "2028-01-31"),
    ],
)
def test_from_completion_the_interval_begins_on_the_day_of_completion(rule: dict[str, Any], day: str) -> None:
    assert after("2026-11-26", "2027-01-31", **rule, **{"from": "completion"}) == day
    assert after("2027-11-26", "2027-01-31", **rule, **{"from": "completion"}) == day


def test_a_series_ends_with_the_calendar() -> None:
    for frequency in ("daily", "weekly", "monthly", "yearly"):
        rule = scheduled({"frequency": frequency}, date(2026, 12, 31), None).rule
        assert successor(rule, date.max, date.max, date.max) is None


@pytest.mark.parametrize(
    ("zone", "at", "due_time", "day"),
    [
        ("Europe/Berlin", "2026-11-26T06:45Z", "08:00", "2026-11-25"),
        ("Europe/Berlin", "2026-11-26T07:00Z", "08:00", "2026-11-26"),
        ("Europe/Berlin", "2026-11-25T23:30Z", None, "2026-11-26"),
        # 02:30 is in the gap, and counts as 03:30. It is 03:10, and then 03:30.
        ("Europe/Berlin", "2027-03-28T01:10Z", "02:30", "2027-03-27"),
        ("Europe/Berlin", "2027-03-28T01:30Z", "02:30", "2027-03-28"),
        # 02:30 occurs twice, and the first counts. It is 02:20, and then 02:10 for the second time.
        ("Europe/Berlin", "2026-10-25T00:20Z", "02:30", "2026-10-24"),
        ("Europe/Berlin", "2026-10-25T01:10Z", "02:30", "2026-10-25"),
        ("Australia/Sydney", "2026-10-03T16:20Z", "02:30", "2026-10-03"),
        ("Australia/Sydney", "2026-10-03T16:30Z", "02:30", "2026-10-04"),
        # São Paulo changed its clocks at midnight until 2019.
        ("America/Sao_Paulo", "2018-11-04T03:20Z", "00:30", "2018-11-03"),
        ("America/Sao_Paulo", "2018-11-04T03:30Z", "00:30", "2018-11-04"),
        ("America/Sao_Paulo", "2026-11-01T03:30Z", "00:30", "2026-11-01"),
        ("Pacific/Kiritimati", "2026-11-25T17:59Z", "08:00", "2026-11-25"),
        ("Pacific/Kiritimati", "2026-11-25T18:00Z", "08:00", "2026-11-26"),
        ("Pacific/Kiritimati", "2026-11-25T10:00Z", None, "2026-11-26"),
        ("Pacific/Pago_Pago", "2026-11-26T10:59Z", None, "2026-11-25"),
    ],
)
def test_the_slot_of_a_day_passes_at_its_time_on_the_clock(zone: str, at: str, due_time: str | None, day: str) -> None:
    given = time.fromisoformat(due_time) if due_time else None
    assert str(passed_day(datetime.fromisoformat(at), ZoneInfo(zone), given)) == day


def test_a_daily_task_at_08_00_that_is_completed_at_07_45_is_due_today() -> None:
    at = datetime(2026, 11, 26, 7, 45, tzinfo=BERLIN).astimezone(UTC)
    rule = scheduled({"frequency": "daily"}, date(2026, 11, 24), None).rule
    following = successor(rule, date(2026, 11, 24), local_day(at, BERLIN), passed_day(at, BERLIN, time(8)))
    assert following == (date(2026, 11, 26), rule)


@pytest.mark.parametrize(
    ("due_date", "rule", "member", "words"),
    [
        ("2027-02-10", {"month_day": 30}, "month_day", "must be at most 29, because due_date is in February"),
        ("2027-04-10", {"month_day": 31}, "month_day", "must be at most 30, because due_date is in April"),
        ("2027-02-10", {"until": date(2027, 2, 9)}, "until", "must not be before due_date, which is 2027-02-10"),
        # Every other year from an odd one on is no leap year.
        ("2027-02-10", {"month_day": 29, "month_end": "skip", "interval": 2}, None, "has no date after due_date"),
        ("9999-12-31", {}, None, "has no date after due_date"),
    ],
)
def test_a_rule_that_does_not_go_with_its_due_date(
    due_date: str, rule: dict[str, Any], member: str | None, words: str
) -> None:
    with pytest.raises(ImpossibleRecurrence) as raised:
        scheduled({"frequency": "yearly", **rule}, date.fromisoformat(due_date), None)
    assert raised.value.member == member
    assert raised.value.detail.startswith(words)


def test_a_rule_that_is_sent_back_after_a_postponement_changes_nothing() -> None:
    first = scheduled({"frequency": "monthly", "until": date(2027, 6, 30)}, date(2027, 1, 31), None)
    february = Schedule(first.rule, date(2027, 2, 28))
    assert scheduled(first.rule, date(2027, 3, 2), february) == february


def test_a_later_end_leaves_the_slots_as_they_are() -> None:
    current = Schedule(scheduled({"frequency": "daily", "interval": 3}, date(2027, 1, 1), None).rule, date(2027, 1, 4))
    changed = scheduled({**current.rule, "count": 9}, date(2027, 1, 5), current)
    assert changed == Schedule({**current.rule, "count": 9}, date(2027, 1, 4), begins_anew=False)


def test_a_rule_with_other_slots_begins_at_the_due_date() -> None:
    current = Schedule(scheduled({"frequency": "weekly"}, date(2027, 1, 4), None).rule, date(2027, 1, 11))
    changed = scheduled({"frequency": "weekly"}, date(2027, 1, 12), current)
    assert changed == Schedule({**current.rule, "weekdays": ["tuesday"]}, date(2027, 1, 12), begins_anew=True)


@pytest.mark.parametrize(
    ("due_date", "rule", "text"),
    [
        ("2027-01-31", {"frequency": "daily", "interval": 3}, "FREQ=DAILY;INTERVAL=3"),
        ("2027-01-31", {"frequency": "weekly", "weekdays": ["friday", "monday"]}, "FREQ=WEEKLY;BYDAY=MO,FR"),
        ("2027-01-31", {"frequency": "monthly"}, "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
        ("2027-01-31", {"frequency": "monthly", "month_end": "skip"}, "FREQ=MONTHLY;BYMONTHDAY=31"),
        ("2027-01-31", {"frequency": "monthly", "month_day": -1}, "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("2028-02-29", {"frequency": "yearly"}, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"),
        ("2027-01-31", {"frequency": "yearly", "count": 2}, "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31;COUNT=2"),
        (
            "2027-01-31",
            {"frequency": "monthly", "nth_weekday": {"nth": -1, "weekday": "friday"}},
            "FREQ=MONTHLY;BYDAY=-1FR",
        ),
        ("2027-01-31", {"frequency": "daily", "from": "completion"}, None),
    ],
)
def test_the_rule_as_calendars_write_it(due_date: str, rule: dict[str, Any], text: str | None) -> None:
    made = scheduled(rule, date.fromisoformat(due_date), None)
    assert rrule(made.rule, made.slot, None, None) == text


@pytest.mark.parametrize(
    ("until", "due_time", "zone", "text"),
    [
        ("2027-07-01", None, None, "20270701"),
        ("2027-07-01", time(9), None, "20270701T235959"),
        ("2027-07-01", time(9), BERLIN, "20270701T215959Z"),
        ("9999-12-31", time(9), ZoneInfo("Pacific/Pago_Pago"), "99991231T235959Z"),
    ],
)
def test_the_last_day_as_calendars_write_it(
    until: str, due_time: time | None, zone: ZoneInfo | None, text: str
) -> None:
    made = scheduled({"frequency": "daily", "until": until}, date(2027, 1, 1), None)
    assert rrule(made.rule, made.slot, due_time, zone) == f"FREQ=DAILY;UNTIL={text}"
