"""Filters: the conditions by which lists, and writes of many tasks at once, choose tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, SmallInteger, Text, Uuid, any_, bindparam, func
from sqlalchemy.dialects.postgresql import ARRAY

from storage.schema import searched_text, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The conditions that a task meets. None and an empty list set no condition; dates are inclusive.

    A task must have one of `tags`, or with `all_tags` every one of them.
    """

    ids: Sequence[UUID] | None = None
    search: str | None = None
    completed: bool | None = None
    priority: Sequence[int] | None = None
    tags: Sequence[str] | None = None
    all_tags: bool = False
    due_before: date | None = None
    due_after: date | None = None

    def given(self) -> tuple[frozenset[str], dict[str, Any]]:
        """Return the names of the conditions that are set, and their parameters."""
        tags = "all_tags" if self.all_tags else "any_tags"
        found = {
            "ids": list(self.ids or ()) or None,
            "search": f"%{_escaped(self.search)}%" if self.search else None,
            "completed": self.completed,
            "priority": list(self.priority or ()) or None,
            tags: list(self.tags or ()) or None,
            "due_before": self.due_before,
            "due_after": self.due_after,
        }
        values = {name: value for name, value in found.items() if value is not None}
        return frozenset(values), {"tags" if name == tags else name: value for name, value in values.items()}


_search = bindparam("search", type_=Text)
_tags = bindparam("tags", type_=ARRAY(Text))
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "ids": tasks.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
    "search": searched_text.like(func.lower(_search)),
    "completed": tasks.c.completed == bindparam("completed"),
    "priority": tasks.c.priority == any_(bindparam("priority", type_=ARRAY(SmallInteger))),
    "any_tags": tasks.c.tags.overlap(_tags),
    "all_tags": tasks.c.tags.contains(_tags),
    "due_before": tasks.c.due_date <= bindparam("due_before"),
    "due_after": tasks.c.due_date >= bindparam("due_after"),
}


def conditions(names: Iterable[str]) -> list[ColumnElement[bool]]:
    """Return the conditions with these names, as `Filters.given` returns them."""
    return [_CONDITIONS[name] for name in sorted(names)]


def _escaped(text: str) -> str:
    """Escape the special characters of LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
