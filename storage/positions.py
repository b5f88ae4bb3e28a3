"""Positions: texts whose order by code point is the order in which a user has arranged tasks or lists.

A position is a fraction between 0 and 1 in base 64. Its digits are those of base64url, in the order of their code
points, so that there is always another position between two different ones. As a fraction has no zeros at its end, no
position ends in the digit for zero.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from uuid import UUID

LONGEST = 255
DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
PATTERN = "^[-0-9A-Z_a-z]*[0-9A-Z_a-z]$"
"""The pattern that the contract has for positions."""

_BASE = len(DIGITS)
# Positions of this length leave room for a thousand more between them.
_AMPLE = 64
# A version 7 UUID begins with 48 bits of time, which are eight digits.
_TIME_DIGITS = 8
_AFTER_TIME = 80
_MOST_REVISIONS = 16**12 - 1
_VALUES = {digit: value for value, digit in enumerate(DIGITS)}


def between(low: str | None, high: str | None) -> str | None:
    """Return one of the shortest positions after `low` and before `high`. None leaves that side open.

    Returns None if there is no such position of at most LONGEST characters.
    """
    found = spaced(1, low, high)
    return found[0] if found else None


def spaced(number: int, low: str | None = None, high: str | None = None, *, longest: int = LONGEST) -> list[str] | None:
    """Return this many positions after `low` and before `high`, in their order and evenly spaced.

    They are as short as they can be. Returns None if they would need more than `longest` characters.
    """
    below, above = 0, 0 if high is not None else 1
    for length in range(1, longest + 1):
        below = below * _BASE + _digit(low, length)
        above = above * _BASE + _digit(high, length)
        # The digits that `high` has after this place make it greater than `above`.
        gap = above - below + (high is not None and len(high) > length)
        if gap > number:
            return [_text(below + place * gap // (number + 1), length) for place in range(1, number + 1)]
    return None


def last(revision: int) -> str:
    """Return the position of a task that the write with this revision puts last.

    `storage/schema.py` and `storage/new_positions.py` have the same in SQL.
    """
    return f"m{revision:012x}"


def first(revision: int) -> str:
    """Return the position of a task that the write with this revision puts first."""
    return f"l{_MOST_REVISIONS - revision:012x}"


def placed(low: str | None, high: str | None, revision: int) -> str | None:
    """Return what `between` returns, for a write with this revision.

    At an open end, it is the position of a new task where possible: it stays short, however many are put there.
    """
    if high is None and (low is None or low < last(revision)):
        return last(revision)
    if low is None and high is not None and first(revision) < high:
        return first(revision)
    return between(low, high)


def behind(position: str, following: UUID) -> str:
    """Return the position of a completed occurrence, whose own one the occurrence with this id takes.

    The later it is completed, the nearer it is, by the time in the id (RFC 9562, version 7). Without room, it is the
    same one.
    """
    found = position + DIGITS[0] + _text(_BASE**_TIME_DIGITS - 1 - (following.int >> _AFTER_TIME), _TIME_DIGITS)
    return found if len(found) <= LONGEST else position


def in_front(position: str, following: UUID) -> str:
    """Return the position that a task had before `behind`, if it has not been moved since."""
    end = behind("", following)
    return position.removesuffix(end) or position


def with_room(arranged: Sequence[str], place: int, revision: int) -> tuple[int, list[str]]:
    """Return positions for a new one at a place where there is no room, and for as few as possible of those around it.

    `arranged` is sorted, and may have equal positions; `place` is how many of them come before the new one. Returns the
    first place whose position changes, and the positions from there on, with the new one among them.
    """
    start = end = place
    while True:
        low = arranged[start - 1] if start else None
        high = arranged[end] if end < len(arranged) else None
        found = spaced(end - start + 1, *_within_new_ones(low, high, revision), longest=_AMPLE)
        if found is not None:
            return start, found
        if low is not None and low == high:
            first_equal, beyond = bisect_left(arranged, low), bisect_right(arranged, low)
            start, end = (first_equal, end) if start - first_equal <= beyond - end else (start, beyond)
            continue
        step = 1 + (end - start) // 4
        # A long neighbour has shorter ones further away.
        if high is None or (low is not None and len(low) >= len(high)):
            start = max(start - step, 0)
        else:
            end = min(end + step, len(arranged))


def _within_new_ones(low: str | None, high: str | None, revision: int) -> tuple[str | None, str | None]:
    """Return the ends between which to space positions, so that new tasks still come first or last where possible."""
    if low is None and (high is None or first(revision) < high):
        low = first(revision)
    if high is None and (low is None or low < last(revision)):
        high = last(revision)
    return low, high


def _digit(position: str | None, place: int) -> int:
    """Return the value of a digit of a position, the first of which has the place 1."""
    return _VALUES[position[place - 1]] if position is not None and place <= len(position) else 0


def _text(value: int, length: int) -> str:
    """Return a fraction of 64 to the power of `length` as a position."""
    digits = []
    for _ in range(length):
        value, digit = divmod(value, _BASE)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits)).rstrip(DIGITS[0])
