"""Plain writes: those that SQL carries out by itself, because nothing follows from them that only Python knows.

Python has the rules of time zones, and of series. See `storage/optimistic.py` for what becomes of the other writes.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CTE, ColumnElement, and_, null, or_, true

from storage import due
from storage.series import LEFT

Values = dict[str, ColumnElement[Any]]


def plain(old: CTE, given: Values) -> tuple[Values, ColumnElement[bool]]:
    """Return new values of a task with what follows from them, and whether SQL may write them.

    A `recurrence` or `parent_id` among the values is null: the task leaves its series, or its parent.
    """
    new, has_no_instant = _without_instant(old, given)
    is_plain = and_(has_no_instant, keeps_family(old, new))
    if "recurrence" in new:
        return {**new, **{name: null() for name in LEFT if name != "recurrence"}}, is_plain
    return new, and_(is_plain, _keeps_series(old, new)) if "completed" in new else is_plain


def keeps_family(old: CTE, new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return whether these values leave a subtask in the list of its parent, and a parent in that of its subtasks.

    A `parent_id` among the values is null: the task leaves its parent.
    """
    if "list_id" not in new:
        return true()
    is_at_the_top = true() if "parent_id" in new else old.c.parent_id.is_(None)
    return or_(and_(is_at_the_top, ~old.c.is_parent), old.c.list_id.is_not_distinct_from(new["list_id"]))


def _keeps_series(old: CTE, new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return whether a task with this value of `completed` has neither one occurrence more nor one less."""
    return or_(old.c.recurrence.is_(None), old.c.completed == new["completed"])


def _without_instant(old: CTE, new: Values) -> tuple[Values, ColumnElement[bool]]:
    if "due_at" in new or not any(name in new for name in due.MEMBERS):
        return new, true()
    return {**new, "due_at": null()}, _is_at_no_instant(old, new)


def _is_at_no_instant(old: CTE, new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return whether a task with these new values may be as they say, and has no `due_at`.

    Otherwise only Python knows: it has the rules of time zones, and rejects a time without a date.
    """
    after = {name: new.get(name, old.c[name]) for name in due.MEMBERS}
    time_or_zone = [after[name].is_(None) for name in due.MEMBERS if name != "due_date"]
    return and_(or_(*time_or_zone), or_(after["due_date"].is_not(None), and_(*time_or_zone)))
