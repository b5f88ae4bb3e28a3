"""Changes: what has happened to a user's tasks and lists since a client last asked.

The head is read first, so that asking costs little when nothing has changed. A page of changes has a head of its own,
from the same snapshot: a token that pointed to a later head than its rows would skip changes.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from storage import accounts
from storage.driver.query import Connection, Query, Row
from storage.errors import SyncReset
from storage.list_rows import TodoList
from storage.schema import accounts as table
from storage.schema import lists, tasks
from storage.tasks import Task
from storage.tasks_and_lists import IS_LIST, NAMES, list_in_row, rows_of, task_in_row

MOST_BYTES = 1 << 20
"""A page ends with the task or list that makes it longer than this, as JSON, or nearly."""
# The names of a task's members, and the values of those that are not text.
_OTHER_BYTES = 440
_TEXT_OF_TASKS = ("title", "description", "tags")
_TEXT_OF_LISTS = ("name", "color")


class Head(NamedTuple):
    """Where a user's changes are now: the revision and epoch of the account, and the greatest revision purged.

    All are 0 for a user who has never written.
    """

    revision: int
    epoch: int
    purged: int


class SyncToken(NamedTuple):
    """Up to where a client has the changes of an epoch.

    `baseline` is the head's revision when the client began to download everything, and 0 once it has caught up. The
    client has nothing that was deleted before that, so it needs none of these deletions, not even to know whether they
    have been purged. A token of revision 0 belongs to every epoch, and is the same as none.
    """

    epoch: int
    revision: int
    baseline: int


class Deleted(NamedTuple):
    """A task or list that was deleted, and is in the trash or a tombstone."""

    id: UUID
    revision: int
    deleted_at: datetime


class Changes(NamedTuple):
    """A page of changes, the token after it, and the head. `has_more` is whether another page follows."""

    tasks: Sequence[Task]
    deleted: Sequence[Deleted]
    lists: Sequence[TodoList]
    deleted_lists: Sequence[Deleted]
    token: SyncToken
    has_more: bool
    head: Head


NOTHING_WRITTEN = Head(0, 0, 0)
head_columns = [table.c[name] for name in Head._fields]
_HEAD_SIZE = len(Head._fields)
_REVISION = NAMES.index("revision")
_HEAD = Query(select(*head_columns).where(table.c.user_id == accounts.owner))


def _first(rows: Table, text: Iterable[str]) -> Select[Any]:
    """Return the first changes of a table: its columns, but without the text of what is deleted, and `deleted_at`."""
    is_there = rows.c.deleted_at.is_(None)
    shown = {name: case((is_there, rows.c[name]), else_=null()) for name in text}
    # A client that downloads everything has nothing that was deleted before it began.
    wanted = or_(is_there, rows.c.revision > bindparam("baseline", type_=BigInteger))
    since = rows.c.revision > bindparam("revision", type_=BigInteger)
    found = rows_of(rows, **shown, deleted_at=rows.c.deleted_at).where(rows.c.user_id == accounts.owner, since, wanted)
    return found.order_by(rows.c.revision).limit(bindparam("limit", type_=BigInteger))


def _bytes(value: ColumnElement[Any]) -> ColumnElement[int]:
    """Return the size of a value as JSON, in which some characters take six times their bytes."""
    return func.coalesce(func.octet_length(cast(func.to_json(value), Text)), literal_column("0"))


def _page() -> Query:
    """Return the statement, whose rows are the head, the number of changes found, and a change.

    It finds one change more than fits in a page, and leaves out those after MOST_BYTES. An empty page is one row in
    which all but the head is NULL. For a user without an account, there is no row.
    """
    either = union_all(_first(tasks, _TEXT_OF_TASKS), _first(lists, _TEXT_OF_LISTS)).subquery("either")
    first = select(either).order_by(either.c.revision).limit(bindparam("limit", type_=BigInteger))
    found = first.subquery("found")
    text = [func.coalesce(found.c.title, found.c.name), found.c.description, found.c.tags]
    size = sum(map(_bytes, text), literal_column(str(_OTHER_BYTES), Integer))
    before = func.coalesce(func.sum(size).over(order_by=found.c.revision, rows=(None, -1)), literal_column("0"))
    page = select(found, func.count().over().label("found"), before.label("before")).subquery("page")
    fits = page.c.before < literal_column(str(MOST_BYTES))
    rows = select(*head_columns, page.c.found, *(page.c[name] for name in (*NAMES, "deleted_at")))
    rows = rows.select_from(table.outerjoin(page, fits)).where(table.c.user_id == accounts.owner)
    return Query(rows.order_by(page.c.revision))


_PAGE = _page()


async def get_head(connection: Connection, user_id: str) -> Head:
    """Return the user's head, at the cost of one primary-key look-up."""
    row: Any = await _HEAD.fetch_one(connection, user_id=user_id)
    return NOTHING_WRITTEN if row is None else Head._make(row)


def check(token: SyncToken | None, head: Head) -> None:
    """Raise SyncReset if the head is not one that follows the token, or if deletions in between have been purged."""
    if token is None or token.revision == 0:
        return
    seen = max(token.revision, token.baseline)
    if token.epoch != head.epoch or not head.purged <= seen <= head.revision:
        raise SyncReset


async def list_changes(connection: Connection, user_id: str, token: SyncToken | None, limit: int) -> Changes:
    """Return up to `limit` changes since the token, in the order of their revisions. Raises SyncReset.

    Without a token, or with one of revision 0, returns the tasks and lists that are there.
    """
    head = await get_head(connection, user_id)
    since = token if token and token.revision else SyncToken(head.epoch, 0, head.revision)
    check(since, head)
    if since.revision == head.revision:
        return Changes([], [], [], [], caught_up(head), has_more=False, head=head)
    position = {"revision": since.revision, "baseline": since.baseline}
    rows = await _PAGE.fetch_all(connection, user_id=user_id, limit=limit + 1, **position)
    return _read(rows, since, limit)


def _read(rows: Sequence[Row], since: SyncToken, limit: int) -> Changes:
    """Return what the rows of a page say. Raises SyncReset."""
    head = Head._make(rows[0][:_HEAD_SIZE]) if rows else NOTHING_WRITTEN
    # Tombstones may have been purged since the first look at the head.
    check(since, head)
    # After the head, a row has the number of changes found.
    found = [row[_HEAD_SIZE + 1 :] for row in rows[:limit] if row[_HEAD_SIZE]]
    has_more = bool(found) and rows[0][_HEAD_SIZE] > len(found)
    last = SyncToken(head.epoch, found[-1][_REVISION], since.baseline) if has_more else caught_up(head)
    return Changes(*_separated(found), last, has_more, head)


def caught_up(head: Head) -> SyncToken:
    """Return the token of a client that has all changes up to the head."""
    return SyncToken(head.epoch, head.revision, 0)


def _separated(found: Sequence[Row]) -> tuple[list[Task], list[Deleted], list[TodoList], list[Deleted]]:
    """Return the tasks among changes, the deleted tasks, the lists, and the deleted lists."""
    of_tasks, of_lists = [row for row in found if not row[IS_LIST]], [row for row in found if row[IS_LIST]]
    live, live_lists = map(task_in_row, filter(_is_live, of_tasks)), map(list_in_row, filter(_is_live, of_lists))
    return [*live], _deleted(of_tasks), [*live_lists], _deleted(of_lists)


def _is_live(row: Row) -> bool:
    return row[-1] is None


def _deleted(rows: Sequence[Row]) -> list[Deleted]:
    return [Deleted(row[0], row[_REVISION], row[-1]) for row in rows if not _is_live(row)]
