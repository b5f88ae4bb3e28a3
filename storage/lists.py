"""Lists of a user's tasks: filtered, sorted, paged by keyset or by offset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    Select,
    SmallInteger,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    collate,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from storage import accounts
from storage.connection import Connection
from storage.database import Query
from storage.schema import is_live, searched_text, tasks
from storage.tasks import Task, columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a task must be to be listed; None and an empty list mean that it does not matter. Days are inclusive."""

    search: str | None = None
    completed: bool | None = None
    priority: Sequence[int] | None = None
    tags: Sequence[str] | None = None
    all_tags: bool = False
    due_before: date | None = None
    due_after: date | None = None


class Sort(NamedTuple):
    """An order: `by` created_at, updated_at, due_date, priority or title; ties by id, in the same direction."""

    by: str
    descending: bool


class Position(NamedTuple):
    """A place between two tasks of a sorted list: the last one's sort key, as SQL returned it as text, and its id."""

    key: str
    id: UUID


class Page(NamedTuple):
    """Some tasks in order; `total` of all pages, when asked for; where the next page begins; the user's revision."""

    revision: int
    total: int | None
    tasks: Sequence[Task]
    next: Position | None


_search = bindparam("search", type_=Text)
_tags = bindparam("tags", type_=ARRAY(Text))
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    # The index finds candidates in the joined text; each column decides, lest a match straddle both.
    "search": searched_text.like(func.lower(_search))
    & or_(tasks.c.title.ilike(_search), tasks.c.description.ilike(_search)),
    "completed": tasks.c.completed == bindparam("completed"),
    "priority": tasks.c.priority == any_(bindparam("priority", type_=ARRAY(SmallInteger))),
    "any_tags": tasks.c.tags.overlap(_tags),
    "all_tags": tasks.c.tags.contains(_tags),
    "due_before": tasks.c.due_date <= bindparam("due_before"),
    "due_after": tasks.c.due_date >= bindparam("due_after"),
}
_KEY_TYPES: dict[str, TypeEngine[Any]] = {
    "created_at": DateTime(timezone=True),
    "updated_at": DateTime(timezone=True),
    "due_date": Date(),
    "priority": SmallInteger(),
    "title": Text(),
}


def _sort_key(sort: Sort) -> ColumnElement[Any]:
    if sort.by == "title":
        return collate(func.lower(tasks.c.title), "C")
    if sort.by == "due_date":
        last = "'-infinity'::date" if sort.descending else "'infinity'::date"
        return func.coalesce(tasks.c.due_date, literal_column(last, Date))
    return tasks.c[sort.by]


def _page(matches: Sequence[ColumnElement[bool]], sort: Sort, *, after_position: bool) -> Select[Any]:
    key = _sort_key(sort)
    page = select(*columns, key.label("sort_key")).where(*matches)
    if after_position:
        position = tuple_(cast(bindparam("key", type_=Text), _KEY_TYPES[sort.by]), bindparam("id", type_=Uuid))
        here = tuple_(key, tasks.c.id)
        page = page.where(here < position if sort.descending else here > position)
    else:
        page = page.offset(bindparam("offset", type_=BigInteger))
    return _ordered(page, key, tasks.c.id, sort).limit(bindparam("limit", type_=BigInteger))


def _ordered(page: Select[Any], key: ColumnElement[Any], task_id: ColumnElement[Any], sort: Sort) -> Select[Any]:
    return page.order_by(key.desc(), task_id.desc()) if sort.descending else page.order_by(key, task_id)


@lru_cache(maxsize=1024)
def _query(filters: frozenset[str], sort: Sort, *, after_position: bool) -> Query:
    """Return the statement of a shape: one row at least, which carries the revision and the total."""
    matches = [tasks.c.user_id == accounts.owner, is_live, *(_CONDITIONS[name] for name in sorted(filters))]
    page = _page(matches, sort, after_position=after_position).cte("page")
    counted = select(func.count()).select_from(tasks).where(*matches).scalar_subquery()
    head = select(accounts.revision, (null() if after_position else counted).label("total")).cte("head")
    shown = [page.c[column.name] for column in columns]
    rows = select(head.c.revision, head.c.total, cast(page.c.sort_key, Text), *shown)
    return Query(_ordered(rows.select_from(head.outerjoin(page, true())), page.c.sort_key, page.c.id, sort))


async def list_tasks(
    connection: Connection, user_id: str, filters: Filters, sort: Sort, *, limit: int, start: Position | int
) -> Page:
    """Return up to `limit` tasks that match, from a position on or, with the total, after so many rows."""
    shape, values = _shape(filters)
    query = _query(shape, sort, after_position=isinstance(start, Position))
    values |= start._asdict() if isinstance(start, Position) else {"offset": start}
    rows = await query.fetch_all(connection, user_id=user_id, limit=limit + 1, **values)
    revision, total, *_ = rows[0]
    found = [row for row in rows[:limit] if row[2] is not None]
    following = Position(found[-1][2], found[-1][3]) if len(rows) > limit else None
    return Page(revision, total, [Task._make(row[3:]) for row in found], following)


def _shape(filters: Filters) -> tuple[frozenset[str], dict[str, Any]]:
    """Return which conditions apply, and the values of their parameters."""
    tags = "all_tags" if filters.all_tags else "any_tags"
    given = {
        "search": f"%{_escaped(filters.search)}%" if filters.search else None,
        "completed": filters.completed,
        "priority": list(filters.priority or ()) or None,
        tags: list(filters.tags or ()) or None,
        "due_before": filters.due_before,
        "due_after": filters.due_after,
    }
    values = {name: value for name, value in given.items() if value is not None}
    return frozenset(values), {"tags" if name == tags else name: value for name, value in values.items()}


def _escaped(text: str) -> str:
    """Make LIKE's special characters ordinary ones."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
