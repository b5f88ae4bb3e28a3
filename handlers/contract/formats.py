"""The formats of strings in the contract: how each is checked, described and converted."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple
from uuid import UUID

from storage import time_zones

# Since version 3.14, Python takes 24:00 for the next day's midnight.
_HOUR = "(?:[01][0-9]|2[0-3])"
_DATE_TIME = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_HOUR}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,6}})?([Zz]|[+-][0-9]{{2}}:[0-5][0-9])"
)
# An offset in whole hours, as people write it.
_OFFSET = re.compile(r"(?:GMT|UTC|)([+-])([0-9]{1,2})(?::?00)?", re.IGNORECASE)


class Format(NamedTuple):
    """A format: its pattern, the conversion of its texts, and the words that follow "must be" in an error message.

    `convert` raises ValueError or OverflowError for a text that matches the pattern and is still invalid. With
    `is_exact`, there is no such text, and the validator checks the pattern itself: that is faster than to call Python.
    `advice`, if there is one, returns more precise words for a text, or None.
    """

    pattern: re.Pattern[str]
    convert: Callable[[str], Any]
    words: str
    is_exact: bool = False
    advice: Callable[[str], str | None] | None = None

    def is_valid(self, text: str) -> bool:
        """Return whether a text has this format."""
        if not self.pattern.fullmatch(text):
            return False
        try:
            self.convert(text)
        except (ValueError, OverflowError):
            return False
        return True

    def explain(self, text: Any) -> str:
        """Return the message about a value that does not have this format."""
        advice = self.advice(text) if self.advice and isinstance(text, str) else None
        return advice or f"must be {self.words}"


def _date_alone(text: str) -> str | None:
    """Return how to send a timestamp as a date. JavaScript's `toISOString` makes such timestamps."""
    day = text[:10]
    if not re.match("[Tt ][0-9]", text[10:]) or not FORMATS["date"].is_valid(day):
        return None
    return f"must be a date without a time: send {day}, unless it is another day in the user's time zone"


def _nearest_zones(text: str) -> str | None:
    if re.search(" [0-9]", text):
        return "must be the name of a time zone, which has no spaces. In a query, send a + as %2B"
    if (offset := _OFFSET.fullmatch(text)) and (name := time_zones.at_offset(int(offset[1] + offset[2]))):
        return f"is not the name of a time zone. Send a place, such as Europe/Berlin, or {name}, which means {text}"
    if not (names := time_zones.similar(text)):
        return None
    return f"is not the name of a time zone. Names like it are {', '.join(names)}"


def _instant(text: str) -> datetime:
    """Return an RFC 3339 date-time in UTC."""
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


_TIME_OF_DAY = Format(
    re.compile(rf"{_HOUR}:[0-9]{{2}}"),
    time.fromisoformat,
    "a time of day from 00:00 to 23:59 in the format HH:MM, such as 09:00",
)
# Python's own parsers also take other forms, such as week dates and hours without minutes.
FORMATS = {
    "date": Format(
        re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        date.fromisoformat,
        "a valid date in the format YYYY-MM-DD",
        advice=_date_alone,
    ),
    "date-time": Format(_DATE_TIME, _instant, "a time with a UTC offset, such as 2026-11-24T09:30:00Z (RFC 3339)"),
    "time": _TIME_OF_DAY,
    # The same format under another name, because linters check `time` against RFC 3339: with seconds and an offset.
    "time-of-day": _TIME_OF_DAY,
    "time-zone": Format(
        re.compile(r"[A-Za-z0-9+_/-]{1,40}"),
        time_zones.checked,
        "the name of a time zone in the IANA database, such as Europe/Berlin",
        advice=_nearest_zones,
    ),
    "uuid": Format(re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), UUID, "a UUID", is_exact=True),
}
