"""Checkers for the formats of the contract, as their standards define them."""

import re
from datetime import datetime
from importlib.resources import files

from jsonschema import FormatChecker

# jsonschema checks dates and UUIDs itself, and ignores other formats unless a checker is registered.
FORMATS = FormatChecker(formats=("date", "uuid"))
_TIME = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_ZONES = set(files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}
_CHARACTERS = r"([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """Return whether text is a date-time (RFC 3339, section 5.6) that exists in the calendar."""
    return not isinstance(value, str) or bool(_TIME.fullmatch(value) and datetime.fromisoformat(value))


@FORMATS.checks("time")
@FORMATS.checks("time-of-day")
def is_time_of_day(value: object) -> bool:
    """Return whether text is a time of day in hours and minutes."""
    return not isinstance(value, str) or re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", value) is not None


@FORMATS.checks("time-zone")
def is_time_zone(value: object) -> bool:
    """Return whether text is the name of a time zone in the package `tzdata`."""
    return not isinstance(value, str) or value in _ZONES


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    """Return whether text is a URI (RFC 3986, section 3)."""
    return not isinstance(value, str) or re.fullmatch(f"[A-Za-z][A-Za-z0-9+.-]*:{_CHARACTERS}", value) is not None


@FORMATS.checks("uri-reference")
def is_uri_reference(value: object) -> bool:
    """Return whether text has only characters of a URI or a relative reference (RFC 3986, section 4.1)."""
    return not isinstance(value, str) or re.fullmatch(_CHARACTERS, value) is not None


@FORMATS.checks("int32")
def is_int32(value: object) -> bool:
    """Return whether an integer fits into 32 bits, signed."""
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@FORMATS.checks("int64")
def is_int64(value: object) -> bool:
    """Return whether an integer fits into 64 bits, signed."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63
