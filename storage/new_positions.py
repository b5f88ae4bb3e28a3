"""Positions of new tasks, which a statement makes from the revision of its write, so that it reads no other task."""

from sqlalchemy import ColumnElement, Text, case, exists, func, literal_column, select

from storage import accounts
from storage.driver.query import Query
from storage.schema import preferences

_prefers_first = exists(
    select(literal_column("1")).where(
        preferences.c.user_id == accounts.owner, preferences.c.new_tasks == literal_column("'first'")
    )
)
PREFERS_FIRST = Query(select(_prefers_first))
"""Returns whether new tasks of the user come first."""


def preferred(revision: ColumnElement[int]) -> ColumnElement[str]:
    """Return the position of a new task: the first or last one, as the user prefers."""
    return case((_prefers_first, first(revision)), else_=last(revision))


def last(revision: ColumnElement[int]) -> ColumnElement[str]:
    """Return the position of a task that the write with this revision puts last: `positions.last` in SQL."""
    return _with_letter("m", revision)


def first(revision: ColumnElement[int]) -> ColumnElement[str]:
    """Return the position of a task that the write with this revision puts first: `positions.first` in SQL."""
    return _with_letter("l", literal_column(str(16**12 - 1)) - revision)


def _with_letter(letter: str, number: ColumnElement[int]) -> ColumnElement[str]:
    digits = func.lpad(func.to_hex(number), literal_column("12"), literal_column("'0'"))
    return literal_column(f"'{letter}'", Text).concat(digits)
