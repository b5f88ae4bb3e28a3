"""A reader's clock: which day it is in the reader's time zone, and at which instant a floating time comes there.

PostgreSQL may know other zones, or have other rules for them. So it gets days, instants and offsets, never a zone.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from storage import due, time_zones

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Further away, a floating time has the offset of the first or last of these years.
_YEARS_BEFORE, _YEARS_AFTER = 10, 20
# No zone changes its offset twice within it, not even those that do so for Ramadan.
_STEP = timedelta(days=28)
_MINUTES = range(int(_STEP.total_seconds()) // 60 + 1)
# The days of two zones differ by one, and a task is due on its day or at the end of it.
_NEAR = timedelta(days=2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Days(NamedTuple):
    """Days from the first to the last, and the instants at which the first begins and the last is over."""

    first_day: date
    last_day: date
    begin: datetime
    end: datetime


class Clock(NamedTuple):
    """The instant `now`, in whole seconds, seen in a time zone where the week begins on `week_start`, a weekday."""

    time_zone: str
    week_start: str
    now: datetime

    @property
    def today(self) -> date:
        """The day that it is in the zone."""
        return self.now.astimezone(time_zones.zone(self.time_zone)).date()

    def days(self, name: str) -> Days:
        """Return the days that `today`, `tomorrow` or `week` means."""
        today = self.today
        if name == "week":
            first = today - timedelta(days=(today.weekday() - WEEKDAYS.index(self.week_start)) % 7)
            return self._days(first, first + timedelta(days=6))
        day = today if name == "today" else today + timedelta(days=1)
        return self._days(day, day)

    def near(self) -> dict[str, Any]:
        """Return the first and last day whose tasks need a closer look: earlier ones are over, later ones are not."""
        return {"first_near": self.today - _NEAR, "last_near": self.today + _NEAR}

    def _days(self, first: date, last: date) -> Days:
        begin, end = (self._midnight(day) for day in (first, last + timedelta(days=1)))
        return Days(first, last, begin, end)

    def _midnight(self, day: date) -> datetime:
        return due.instant_in(self.time_zone, day, time(0))

    def offsets(self) -> dict[str, Any]:
        """Return the parameters of a statement that turns local times into instants, as PostgreSQL's arrays.

        From each of the local times `turns` on, the zone has the next of the `offsets`. Both are seconds, since 1970.
        """
        turns, offsets = _offsets(self.time_zone, self.now.year)
        return {"turns": turns, "offsets": offsets}

    def minutes(self) -> int:
        """Return the full minutes since 1970. Times have whole minutes, so that what is overdue changes with them."""
        return int(self.now.timestamp()) // 60


@lru_cache(maxsize=1024)
def _offsets(time_zone: str, year: int) -> tuple[str, str]:
    changes = list(_changes(time_zone, year))
    # A time that clocks skip has the offset before. So does the first of two times that they show twice.
    turns = [int((at - _EPOCH).total_seconds()) + max(old, new) for at, old, new in changes]
    first = _offset(time_zone, datetime(year - _YEARS_BEFORE, 1, 1, tzinfo=UTC))
    return _array(turns), _array([first, *(new for _, _, new in changes)])


def _array(numbers: list[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"


def _changes(time_zone: str, year: int) -> Iterator[tuple[datetime, int, int]]:
    """Yield the instants around a year at which the zone's offset changes, each with the offset before and after."""
    begin, end = (datetime(one, 1, 1, tzinfo=UTC) for one in (year - _YEARS_BEFORE, year + _YEARS_AFTER))
    before = _offset(time_zone, begin)
    while begin < end:
        after = _offset(time_zone, begin + _STEP)
        if after != before:
            # Before the change, the offset is still the old one.
            minute = bisect_right(_MINUTES, 0, key=_differs(time_zone, begin, before))
            yield begin + timedelta(minutes=minute), before, after
        begin, before = begin + _STEP, after


def _differs(time_zone: str, begin: datetime, offset: int) -> Any:
    return lambda minute: _offset(time_zone, begin + timedelta(minutes=minute)) != offset


def _offset(time_zone: str, instant: datetime) -> int:
    local = instant.astimezone(time_zones.zone(time_zone))
    return int((local.replace(tzinfo=UTC) - instant).total_seconds())
