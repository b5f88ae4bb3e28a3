"""Positions that a statement makes from the revision of its write, so that it reads no other row."""

from sqlalchemy import ColumnElement, Text, func, literal_column


def last(revision: ColumnElement[int]) -> ColumnElement[str]:
    """Return the position of a task that the write with this revision puts last: `positions.last` in SQL."""
    return _with_letter("m", revision)


def _with_letter(letter: str, number: ColumnElement[int]) -> ColumnElement[str]:
    digits = func.lpad(func.to_hex(number), literal_column("12"), literal_column("'0'"))
    return literal_column(f"'{letter}'", Text).concat(digits)
