"""Tags: the names that a user's tasks carry, with counts. They are renamed and removed on all tasks at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    all_,
    any_,
    bindparam,
    cast,
    collate,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts
from storage.changes import NOTHING_WRITTEN, Head, head_columns
from storage.driver.database import Database
from storage.driver.query import Connection, Query
from storage.errors import NotFound
from storage.idempotency import Key
from storage.schema import accounts as table
from storage.schema import is_live, tasks
from storage.set_changes import Outcome, Picked, change_set, check_size
from storage.set_statements import Statements, statements

MAX_TAGS = 10_000
MOST_CHANGED = 10_000


class Tag(NamedTuple):
    """A tag, and the number of the user's tasks that carry it."""

    name: str
    usage_count: int


def _statement() -> Query:
    # Groups tasks by their whole tag list first, as there are fewer lists than tasks: 33 ms instead of 40 for 100,000.
    owned = select(tasks.c.tags, func.count().label("tasks")).where(tasks.c.user_id == accounts.owner, is_live)
    lists = owned.group_by(tasks.c.tags).subquery("lists")
    # Unnests in the select list: in FROM, each list would need a function scan, a fifth slower for 1,000 tasks.
    carried = select(func.unnest(lists.c.tags, type_=Text).label("name"), lists.c.tasks).subquery("carried")
    name = carried.c.name
    used = (
        select(name, cast(func.sum(carried.c.tasks), BigInteger).label("usage_count"))
        .group_by(name)
        .order_by(collate(name, "C"))
        .limit(literal_column(str(MAX_TAGS)))
        .cte("used")
    )
    # The outer join returns the head even if there are no tags; both come from one snapshot.
    rows = select(*head_columns, used.c.name, used.c.usage_count).select_from(table.outerjoin(used, true()))
    rows = rows.where(table.c.user_id == accounts.owner)
    return Query(rows.order_by(collate(used.c.name, "C")))


_LIST = _statement()
_NAME = len(head_columns)


async def list_tags(connection: Connection, user_id: str) -> tuple[Head, Sequence[Tag]]:
    """Return the user's head, and the first 10,000 tags in use, sorted by the code points of their names."""
    rows = await _LIST.fetch_all(connection, user_id=user_id)
    head = Head._make(rows[0][:_NAME]) if rows else NOTHING_WRITTEN
    return head, [Tag._make(row[_NAME:]) for row in rows if row[_NAME] is not None]


_name = bindparam("name", type_=Text)
_nothing = literal_column("'{}'::text[]", ARRAY(Text))


def without_repeats(names: ColumnElement[Any], removed: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a list of tags in its order, each at its first place, without those that are removed."""
    placed = func.unnest(names).table_valued(column("name", Text), with_ordinality="place").render_derived("placed")
    kept = select(placed.c.name).where(placed.c.name != all_(removed)).group_by(placed.c.name)
    return func.array(kept.order_by(func.min(placed.c.place)).scalar_subquery(), type_=ARRAY(Text))


def _changing(new: ColumnElement[Any]) -> Statements:
    return statements([is_live, _name == any_(tasks.c.tags)], {"tags": new}, tasks.c.tags.is_distinct_from(new))


_renamed = func.array_replace(tasks.c.tags, _name, bindparam("new_name", type_=Text))
_RENAME = _changing(without_repeats(_renamed, _nothing))
_REMOVE = _changing(func.array_remove(tasks.c.tags, _name, type_=ARRAY(Text)))


async def rename_tag(database: Database, user_id: str, name: str, new_name: str, key: Key | None) -> Outcome:
    """Rename a tag on all tasks that carry it. A task that carries both names keeps the first of their places.

    Raises NotFound if no task carries it, TooMany if more than MOST_CHANGED do, and KeyReused.
    """
    values = {"name": name, "new_name": new_name}
    return await change_set(database, user_id, _RENAME, values, most=MOST_CHANGED, check=_check, key=key)


async def remove_tag(database: Database, user_id: str, name: str, key: Key | None) -> Outcome:
    """Remove a tag from all tasks that carry it. The errors raised are those of `rename_tag`."""
    return await change_set(database, user_id, _REMOVE, {"name": name}, most=MOST_CHANGED, check=_check, key=key)


def _check(picked: Picked) -> None:
    if not picked.matched:
        raise NotFound("tag")
    check_size(picked, MOST_CHANGED)
