"""Recurrence as calendars write it: the value of RRULE (RFC 5545, section 3.3.10)."""

from datetime import UTC, date, datetime, time, tzinfo

from storage.recurrence import Recurrence

_FEBRUARY = 2
_SHORTEST_MONTH = 28
_END_OF_DAY = time(23, 59, 59)


def rrule(rule: Recurrence, slot: date, due_time: time | None, zone: tzinfo | None) -> str | None:
    """Return the rule as an RRULE for an event that starts at this slot, or None if calendars cannot express it.

    They cannot reckon from a completion. `due_time` and `zone` are those of the task: UNTIL is a date if the event's
    start is one, and otherwise a time, which is in UTC if the start has a zone.
    """
    if rule["from"] == "completion":
        return None
    parts = [f"FREQ={rule['frequency'].upper()}"]
    if rule["interval"] > 1:
        parts.append(f"INTERVAL={rule['interval']}")
    parts += _days(rule, slot)
    if "count" in rule:
        parts.append(f"COUNT={rule['count']}")
    if "until" in rule:
        parts.append(f"UNTIL={_until(date.fromisoformat(rule['until']), due_time, zone)}")
    return ";".join(parts)


def _days(rule: Recurrence, slot: date) -> list[str]:
    month = [f"BYMONTH={slot.month}"] if rule["frequency"] == "yearly" else []
    if "weekdays" in rule:
        return [f"BYDAY={','.join(map(_weekday, rule['weekdays']))}"]
    if "nth_weekday" in rule:
        return [*month, f"BYDAY={rule['nth_weekday']['nth']}{_weekday(rule['nth_weekday']['weekday'])}"]
    return [*month, *_month_day(rule, slot)] if "month_day" in rule else month


def _month_day(rule: Recurrence, slot: date) -> list[str]:
    """Return the day of the month: the 31st, or else the last day, is the last of 28, 29, 30 and 31."""
    wanted = rule["month_day"]
    always_exists = wanted <= _SHORTEST_MONTH or (rule["frequency"] == "yearly" and slot.month != _FEBRUARY)
    if always_exists or rule["month_end"] == "skip":
        return [f"BYMONTHDAY={wanted}"]
    return [f"BYMONTHDAY={','.join(map(str, range(_SHORTEST_MONTH, wanted + 1)))}", "BYSETPOS=-1"]


def _weekday(name: str) -> str:
    return name[:2].upper()


def _until(day: date, due_time: time | None, zone: tzinfo | None) -> str:
    """Return the end of the last day that may have an occurrence."""
    if due_time is None:
        return _basic(day)
    end = datetime.combine(day, _END_OF_DAY)
    if zone is None:
        return _basic(end)
    try:
        return f"{_basic(end.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None))}Z"
    except OverflowError:
        return f"{_basic(end)}Z"


def _basic(value: date) -> str:
    """Return a date or time in the basic format of ISO 8601."""
    return value.isoformat().replace("-", "").replace(":", "")
