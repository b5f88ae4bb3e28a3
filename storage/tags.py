"""The names that a user's tasks carry."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, cast, collate, column, func, literal_column, select, true

from storage import accounts
from storage.connection import Connection
from storage.database import Query
from storage.schema import is_live, tasks

MOST_TAGS = 10_000


class Tag(NamedTuple):
    """A tag and how many of the user's tasks carry it."""

    name: str
    usage_count: int


def _statement() -> Query:
    # Counted by their whole lists first, which are fewer than the tasks: to take each task's apart costs twice as much.
    lists = select(tasks.c.tags, func.count().label("tasks")).where(tasks.c.user_id == accounts.owner, is_live)
    counted = lists.group_by(tasks.c.tags).subquery("lists")
    tag = func.unnest(counted.c.tags).table_valued(column("name", Text)).render_derived(name="tag")
    name = tag.c.name
    used = (
        select(name, cast(func.sum(counted.c.tasks), BigInteger).label("usage_count"))
        .select_from(counted.join(tag, true()))
        .group_by(name)
        .order_by(collate(name, "C"))
        .limit(literal_column(str(MOST_TAGS)))
        .cte("used")
    )
    head = select(accounts.revision).cte("head")
    # The head is there even without a tag, and both come from one snapshot.
    rows = select(head.c.revision, used.c.name, used.c.usage_count).select_from(head.outerjoin(used, true()))
    return Query(rows.order_by(collate(used.c.name, "C")))


_LIST = _statement()


async def list_tags(connection: Connection, user_id: str) -> tuple[int, Sequence[Tag]]:
    """Return the user's revision, and the tags in use by name, code point by code point; 10,000 at the most."""
    rows = await _LIST.fetch_all(connection, user_id=user_id)
    return rows[0][0], [Tag._make(row[1:]) for row in rows if row[1] is not None]
