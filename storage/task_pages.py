"""Pages of a user's tasks: filtered, sorted, and paginated by keyset or by offset."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    FromClause,
    Select,
    SmallInteger,
    Subquery,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    collate,
    func,
    literal_column,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from storage import accounts, schema
from storage.changes import NOTHING_WRITTEN, Head, head_columns
from storage.driver.query import Connection, Query, Row
from storage.moments import moment
from storage.schema import is_live, tasks
from storage.task_filters import Filters, conditions
from storage.tasks import Task, columns


class Sort(NamedTuple):
    """A sort order: `by` one of created_at, updated_at, due_date, due_at, priority, title and position, then by id."""

    by: str
    descending: bool


class Position(NamedTuple):
    """The last task of a page, after which the next page begins.

    `key` is its sort key, as text that PostgreSQL reads the same whatever the session's settings.
    """

    key: str
    id: UUID


class Page(NamedTuple):
    """A page of tasks and the user's head, from one snapshot.

    `total` counts the tasks on all pages; it is None on a page that follows a position. `next` is the position that
    the next page follows, None on the last page.
    """

    head: Head
    total: int | None
    tasks: Sequence[Task]
    next: Position | None


_KEY_TYPES: dict[str, TypeEngine[Any]] = {
    "created_at": DateTime(timezone=True),
    "updated_at": DateTime(timezone=True),
    "due_date": Date(),
    "due_at": BigInteger(),
    "priority": SmallInteger(),
    "title": Text(),
    "position": Text(),
}

# The sort keys that are not columns come last in a row.
_COMPUTED = ("title", "due_at")
# In seconds: later than any date.
_NEVER = "1000000000000"
# Where the columns of a task begin in a row: after the head and the total.
_FIRST = len(head_columns) + 1


ORDERS = [Sort(by, descending) for by in _KEY_TYPES for descending in (True, False)]


def _sort_key(sort: Sort) -> ColumnElement[Any]:
    if sort.by == "title":
        return collate(func.lower(tasks.c.title), "C")
    if sort.by == "due_date":
        return func.coalesce(tasks.c.due_date, literal_column(f"'{_without_date(sort)}'::date", Date))
    if sort.by == "due_at":
        return func.coalesce(moment, literal_column(_without_date(sort), BigInteger))
    return schema.position.element if sort.by == "position" else tasks.c[sort.by]


def _without_date(sort: Sort) -> str:
    """Return the due date or instant by which tasks without one are sorted: they come last in either direction."""
    if sort.by == "due_at":
        return f"-{_NEVER}" if sort.descending else _NEVER
    return "-infinity" if sort.descending else "infinity"


def _matching(names: frozenset[str], sort: Sort, *, after_position: bool) -> list[ColumnElement[bool]]:
    matching = [tasks.c.user_id == accounts.owner, is_live, *conditions(names)]
    if after_position:
        position = tuple_(cast(bindparam("key", type_=Text), _KEY_TYPES[sort.by]), bindparam("id", type_=Uuid))
        here = tuple_(_sort_key(sort), tasks.c.id)
        matching.append(here < position if sort.descending else here > position)
    return matching


def _ordered(rows: Select[Any], key: ColumnElement[Any], task_id: ColumnElement[Any], sort: Sort) -> Select[Any]:
    return rows.order_by(key.desc(), task_id.desc()) if sort.descending else rows.order_by(key, task_id)


def _cut(rows: Select[Any], *, after_position: bool) -> Select[Any]:
    limited = rows.limit(bindparam("limit", type_=BigInteger))
    return limited if after_position else limited.offset(bindparam("offset", type_=BigInteger))


def _page_and_total(
    filters: frozenset[str], sort: Sort, *, after_position: bool
) -> tuple[Subquery, ColumnElement[Any]]:
    """Return the subquery of the page, and the expression for the total, which is NULL on a page after a position."""
    matches = _matching(filters, sort, after_position=after_position)
    key = _sort_key(sort).label("sort_key")
    total: ColumnElement[Any] = null() if after_position else _count(tasks, *matches)
    if sort.by == "created_at" and (after_position or not filters):
        page = _ordered(select(*columns, key).where(*matches), key, tasks.c.id, sort)
        return _cut(page, after_position=after_position).subquery("page"), total
    # A total, or an order without an index, requires every matching task. The statement reads them once for both, and
    # only their ids and sort keys.
    matched = select(tasks.c.id, key).where(*matches).cte("matched")
    first = _ordered(select(matched), matched.c.sort_key, matched.c.id, sort)
    picked = _cut(first, after_position=after_position).subquery("picked")
    if filters and not after_position:
        total = _count(matched)
    own = and_(tasks.c.user_id == accounts.owner, tasks.c.id == picked.c.id)
    return select(*columns, picked.c.sort_key).select_from(picked.join(tasks, own)).subquery("page"), total


def _count(rows: FromClause, *matches: ColumnElement[bool]) -> ColumnElement[Any]:
    return select(func.count()).select_from(rows).where(*matches).scalar_subquery()


@lru_cache(maxsize=1024)
def _query(filters: frozenset[str], sort: Sort, *, after_position: bool) -> Query:
    """Return the statement for these filters and this order.

    Every row begins with the user's head and the total; an empty page is one row in which all else is NULL. For a
    user without an account, there is no row. A sort key that PostgreSQL computes comes last, such as a title
    in lower case.
    """
    page, total = _page_and_total(filters, sort, after_position=after_position)
    shown = [page.c[column.name] for column in columns] + ([page.c.sort_key] if sort.by in _COMPUTED else [])
    rows = select(*head_columns, total.label("total"), *shown)
    rows = rows.select_from(schema.accounts.outerjoin(page, true())).where(schema.accounts.c.user_id == accounts.owner)
    rows = _ordered(rows, page.c.sort_key, page.c.id, sort)
    # Whether the index helps depends on the search term: a plan shared by all terms takes seconds for some.
    return Query(rows, prepare="search" not in filters)


def compile_order(sort: Sort) -> None:
    """Compile the statements for an order without filters, so that no request waits for them.

    Those with filters are compiled on first use: there are nearly two thousand more.
    """
    for after_position in (False, True):
        _query(frozenset(), sort, after_position=after_position)


# The default order, needed by the first request. The service compiles the others soon after startup.
compile_order(Sort("created_at", descending=True))


async def list_tasks(
    connection: Connection, user_id: str, filters: Filters, sort: Sort, *, limit: int, start: Position | int
) -> Page:
    """Return up to `limit` matching tasks.

    An order by `due_at` needs the reader's clock among the filters.
    `start` is the position that the page follows, or the number of tasks to skip. With a number, the page
    has a total.
    """
    names, values = filters.given()
    query = _query(names, sort, after_position=isinstance(start, Position))
    if sort.by == "due_at" and filters.clock:
        values |= filters.clock.offsets()
    values |= start._asdict() if isinstance(start, Position) else {"offset": start}
    rows = await query.fetch_all(connection, user_id=user_id, limit=limit + 1, **values)
    if not rows:
        return Page(NOTHING_WRITTEN, None if isinstance(start, Position) else 0, [], None)
    *head, total = rows[0][:_FIRST]
    found = [Task._make(row[_FIRST : _FIRST + len(columns)]) for row in rows[:limit] if row[_FIRST] is not None]
    following = Position(_key(found[-1], rows[limit - 1], sort), found[-1].id) if len(rows) > limit else None
    return Page(Head._make(head), total, found, following)


def _key(task: Task, row: Row, sort: Sort) -> str:
    value = row[-1] if sort.by in _COMPUTED else getattr(task, sort.by)
    return _without_date(sort) if value is None else str(value)
