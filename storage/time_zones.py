"""Time zones of the IANA database, from the package `tzdata`, whose version is pinned: not from the machine."""

import zoneinfo
from zoneinfo import ZoneInfo

import tzdata

zoneinfo.reset_tzpath(())

VERSION: str = tzdata.IANA_VERSION
"""The release of the IANA database, such as 2026f."""
# Factory stands for a machine whose zone has not been set.
NAMES = frozenset(zoneinfo.available_timezones() - {"Factory"})
_BY_LOWER_CASE = {name.lower(): name for name in NAMES}
_MOST_SIMILAR = 3
_LEAST_SIMILARITY = 0.4
_LONGEST = 40


def checked(name: str) -> str:
    """Return the name of a zone. Raises ValueError if there is no such zone; upper and lower case matter."""
    if name not in NAMES:
        raise ValueError(name)
    return name


def zone(name: str) -> ZoneInfo:
    """Return the rules of a zone, which Python keeps. `name` is one of NAMES."""
    return ZoneInfo(name)


def at_offset(hours: int) -> str | None:
    """Return the name of the zone that is always so many hours ahead of UTC, if there is one. Its sign is reversed."""
    name = f"Etc/GMT{-hours:+d}"
    return name if name in NAMES else None


def similar(text: str) -> list[str]:
    """Return up to three names that resemble a text of any length: the one that differs in case alone, or the nearest.

    It takes a tenth of the time of `difflib`, since a request can have a hundred wrong names.
    """
    wanted = text[:_LONGEST].lower()
    if wanted in _BY_LOWER_CASE:
        return [_BY_LOWER_CASE[wanted]]
    pairs = _pairs(wanted)
    names = _PAIRS if "/" in wanted else _PAIRS_OF_CITIES
    found = [(len(pairs & own) / len(pairs | own), name) for name, own in names.items()]
    near = sorted((one for one in found if one[0] >= _LEAST_SIMILARITY), key=lambda one: (-one[0], one[1]))
    return [name for _, name in near[:_MOST_SIMILAR]]


def _pairs(text: str) -> frozenset[str]:
    """Return the pairs of adjacent letters in a text."""
    return frozenset(text[place : place + 2] for place in range(max(len(text) - 1, 1)))


# The signs of Etc/GMT+2 and the like are the reverse of what people expect.
_PLACES = {name for name in NAMES if not name.startswith("Etc/GMT")}
_PAIRS = {name: _pairs(name.lower()) for name in _PLACES}
_PAIRS_OF_CITIES = {name: _pairs(name.rpartition("/")[2].lower()) for name in _PLACES}
