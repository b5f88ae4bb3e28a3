"""Filters: the conditions by which lists, and writes of many tasks at once, choose tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    SmallInteger,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    or_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage.clocks import Clock
from storage.moments import moment
from storage.schema import searched_text, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The conditions that a task meets. None and an empty list set no condition; dates are inclusive.

    A task must have one of `tags`, or with `all_tags` every one of them. `due` is overdue, today, tomorrow, week or
    none, and all but the last need the reader's `clock`. With `lists`, it must be in one of them, and with `inbox` in
    one of them or in none. With `parents`, it must be a subtask of one of them, and with `top` of one of them or none.
    """

    ids: Sequence[UUID] | None = None
    search: str | None = None
    completed: bool | None = None
    priority: Sequence[int] | None = None
    tags: Sequence[str] | None = None
    all_tags: bool = False
    due_before: date | None = None
    due_after: date | None = None
    due: str | None = None
    clock: Clock | None = None
    lists: Sequence[UUID] | None = None
    inbox: bool = False
    parents: Sequence[UUID] | None = None
    top: bool = False

    def given(self) -> tuple[frozenset[str], dict[str, Any]]:
        """Return the names of the conditions that are set, and their parameters."""
        tags = "all_tags" if self.all_tags else "any_tags"
        lists = "lists_or_inbox" if self.inbox else "lists"
        parents = "parents_or_top" if self.top else "parents"
        found = {
            "ids": list(self.ids or ()) or None,
            "search": f"%{_escaped(self.search)}%" if self.search else None,
            "completed": self.completed,
            "priority": list(self.priority or ()) or None,
            tags: list(self.tags or ()) or None,
            "due_before": self.due_before,
            "due_after": self.due_after,
            lists: list(self.lists or ()) or ([] if self.inbox else None),
            parents: list(self.parents or ()) or ([] if self.top else None),
        }
        values = {name: value for name, value in found.items() if value is not None}
        names = frozenset(values) | ({_DUE.get(self.due, "due_between")} if self.due else frozenset())
        parameters = {tags: "tags", lists: "lists", parents: "parents"}
        given = {parameters.get(name, name): value for name, value in values.items()}
        return names, given | self._due_values()

    def fixed(self) -> dict[str, Any]:
        """Return the conditions that mean the same at any time."""
        return {name: getattr(self, name) for name in _FIXED}

    def zoned(self) -> list[str]:
        """Return the conditions that mean something else from day to day, the time zone, and the first day meant."""
        found = self.due, self.clock and self.clock.time_zone, self._due_values().get("first_day")
        return [str(one) for one in found if one]

    def _due_values(self) -> dict[str, Any]:
        if self.due in (None, "none") or self.clock is None:
            return {}
        if self.due == "overdue":
            return {"now": self.clock.minutes() * 60, **self.clock.near(), **self.clock.offsets()}
        return self.clock.days(self.due)._asdict()


_FIXED = [field.name for field in fields(Filters) if field.name not in ("due", "clock")]
_DUE = {"overdue": "overdue", "none": "without_date"}


def _due_between() -> ColumnElement[bool]:
    """Return whether a task is due on these days. Only a time in a zone is converted, to the reader's day."""
    days = tasks.c.due_date.between(bindparam("first_day", type_=Date), bindparam("last_day", type_=Date))
    begin, end = (bindparam(name, type_=DateTime(timezone=True)) for name in ("begin", "end"))
    return or_(and_(tasks.c.due_at.is_(None), days), and_(tasks.c.due_at >= begin, tasks.c.due_at < end))


def _overdue() -> ColumnElement[bool]:
    """Return whether an open task was due until now. Of most tasks, the date alone says so, at a fifth of the cost."""
    first, last = (bindparam(name, type_=Date) for name in ("first_near", "last_near"))
    is_near = and_(tasks.c.due_date <= last, moment <= bindparam("now", type_=BigInteger))
    return and_(~tasks.c.completed, or_(tasks.c.due_date < first, is_near))


_search = bindparam("search", type_=Text)
_tags = bindparam("tags", type_=ARRAY(Text))
_in_lists = tasks.c.list_id == any_(bindparam("lists", type_=ARRAY(Uuid)))
_under = tasks.c.parent_id == any_(bindparam("parents", type_=ARRAY(Uuid)))
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "ids": tasks.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
    "search": searched_text.like(func.lower(_search)),
    "completed": tasks.c.completed == bindparam("completed"),
    "priority": tasks.c.priority == any_(bindparam("priority", type_=ARRAY(SmallInteger))),
    "any_tags": tasks.c.tags.overlap(_tags),
    "all_tags": tasks.c.tags.contains(_tags),
    "due_before": tasks.c.due_date <= bindparam("due_before"),
    "due_after": tasks.c.due_date >= bindparam("due_after"),
    "due_between": _due_between(),
    "overdue": _overdue(),
    "without_date": tasks.c.due_date.is_(None),
    "lists": _in_lists,
    "parents": _under,
    "parents_or_top": or_(tasks.c.parent_id.is_(None), _under),
    "lists_or_inbox": or_(tasks.c.list_id.is_(None), _in_lists),
}


def conditions(names: Iterable[str]) -> list[ColumnElement[bool]]:
    """Return the conditions with these names, as `Filters.given` returns them."""
    return [_CONDITIONS[name] for name in sorted(names)]


def _escaped(text: str) -> str:
    """Escape the special characters of LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
