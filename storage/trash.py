"""The trash: deleted tasks and lists, which can be restored until they are erased or purged."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    Table,
    Text,
    Update,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    true,
    tuple_,
    union_all,
    update,
)

from storage import accounts, list_of_task, new_positions
from storage.driver.database import Database
from storage.driver.query import Connection, Query
from storage.driver.transaction import Transaction
from storage.errors import HasRelatives, NotFound
from storage.list_rows import TodoList
from storage.schema import is_in_trash, is_list_in_trash, lists, tasks
from storage.set_statements import REVISION
from storage.task_pages import Position
from storage.tasks import (
    OVERWRITTEN,
    Task,
    changed,
    columns,
    has_rows,
    locked,
    not_before_last_update,
    own,
    task_in,
)
from storage.tasks_and_lists import IS_LIST, list_in_row, rows_of, task_in_row


class TrashedTask(NamedTuple):
    """A deleted task, when it was deleted, and the deletion, which it shares with all that one request deleted."""

    task: Task
    deleted_at: datetime
    deletion_id: UUID


class TrashedList(NamedTuple):
    """A deleted list, when it was deleted, and the deletion, which it shares with the tasks that were in it."""

    list: TodoList
    deleted_at: datetime
    deletion_id: UUID


class TrashPage(NamedTuple):
    """A page of deleted tasks and lists. `next` is the position that the next page follows, None on the last page."""

    tasks: Sequence[TrashedTask]
    lists: Sequence[TrashedList]
    next: Position | None


deletion_id = func.coalesce(tasks.c.deletion_id, tasks.c.id)
"""The deletion of a deleted task. What a release before 0.4.0 deleted was a deletion of its own."""
# A release before 0.4.0 would leave a deletion_id as it is when it deletes the task again.
_RESTORED: Mapping[str, ColumnElement[Any]] = {"deleted_at": null(), "deletion_id": null()}


def _first_in_inbox(list_id: ColumnElement[Any], kept: ColumnElement[Any], revision: ColumnElement[int]) -> Any:
    """Return the position of a restored task, which comes first in the inbox if its list is deleted."""
    # A subtask stays where it is among the others, unless it loses its parent (`relatives.settle`).
    is_without_list = and_(list_id.is_not(None), kept.is_(None), tasks.c.parent_id.is_(None))
    return case((is_without_list, new_positions.first(revision)), else_=tasks.c.position)


RESTORED = {
    **_RESTORED,
    "list_id": list_of_task.kept,
    "position": _first_in_inbox(tasks.c.list_id, list_of_task.kept, REVISION),
}
"""The new values of a task that is taken out of the trash, for a statement that follows the account's lock."""


def _deleted(rows: Table, deletion: ColumnElement[Any], *chosen: ColumnElement[bool]) -> Select[Any]:
    """Return the latest deletions of a table."""
    found = rows_of(rows, deleted_at=rows.c.deleted_at, deletion=deletion).where(rows.c.user_id == accounts.owner)
    return _latest(found.where(*chosen), rows)


def _latest(rows: Select[Any], source: FromClause) -> Select[Any]:
    newest_first = rows.order_by(source.c.deleted_at.desc(), source.c.id.desc())
    return newest_first.limit(bindparam("limit", type_=BigInteger))


def _list(*, after_position: bool) -> Query:
    position = tuple_(cast(bindparam("key", type_=Text), DateTime(timezone=True)), bindparam("id", type_=Uuid))

    def following(rows: Table) -> list[ColumnElement[bool]]:
        return [tuple_(rows.c.deleted_at, rows.c.id) < position] if after_position else []

    of_tasks = _deleted(tasks, deletion_id, is_in_trash, *following(tasks))
    of_lists = _deleted(lists, lists.c.deletion_id, is_list_in_trash, *following(lists))
    either = union_all(of_tasks, of_lists).subquery("either")
    return Query(_latest(select(either), either))


def _restore() -> Query:
    """Return the statement, which returns the task as it is now, or no row if it is neither in the trash nor live.

    The row ends with whether the task is live. It is left in the trash if it has a parent, or may have subtasks.
    """
    old = locked(tasks.c.erased_at.is_(None))
    is_alone = and_(old.c.parent_id.is_(None), ~old.c.is_parent)
    stamp = accounts.bump_if(has_rows(old, old.c.deleted_at.is_not(None), is_alone))
    at = not_before_last_update(stamp.c.at)
    kept = list_of_task.if_there(old)
    place = _first_in_inbox(tasks.c.list_id, kept, stamp.c.revision)
    values = changed({**_RESTORED, "list_id": kept, "position": place}, stamp.c.revision, at)
    restored = update(tasks).where(*own).values(**values).returning(*columns).cte("restored")
    left = select(*task_in(old), old.c.deleted_at.is_(None)).where(~has_rows(restored))
    return Query(union_all(select(*restored.c, true()), left))


def _erased(*chosen: ColumnElement[bool]) -> Update:
    """Return the update that overwrites the text of these tasks. It takes no revision."""
    return update(tasks).where(*chosen).values(**OVERWRITTEN, erased_at=accounts.stamp.c.at)


def _erase() -> Query:
    """Return the statement, which returns a row if the task was in the trash."""
    # With the condition itself, PostgreSQL may search all that the user has deleted instead of the primary key.
    old = locked(tasks.c.erased_at.is_(None))
    return Query(_erased(*own, has_rows(old, old.c.deleted_at.is_not(None))).returning(tasks.c.id))


_FIRST_PAGE, _NEXT_PAGE = _list(after_position=False), _list(after_position=True)
_RESTORE = _restore()
_ERASE = _erase()
_EMPTY = Query(_erased(tasks.c.user_id == accounts.owner, is_in_trash))
_without_text = {"name": literal_column("''"), "color": null(), "erased_at": accounts.stamp.c.at}
_EMPTY_LISTS = Query(update(lists).where(lists.c.user_id == accounts.owner, is_list_in_trash).values(**_without_text))


async def list_trash(connection: Connection, user_id: str, *, limit: int, after: Position | None) -> TrashPage:
    """Return up to `limit` deleted tasks and lists, the latest deletion first.

    If there is a position, these are those that follow it.
    """
    query, values = (_FIRST_PAGE, {}) if after is None else (_NEXT_PAGE, after._asdict())
    rows = await query.fetch_all(connection, user_id=user_id, limit=limit + 1, **values)
    found = rows[:limit]
    of_tasks = [TrashedTask(task_in_row(row), *row[-2:]) for row in found if not row[IS_LIST]]
    of_lists = [TrashedList(list_in_row(row), *row[-2:]) for row in found if row[IS_LIST]]
    following = Position(str(found[-1][-2]), found[-1][0]) if len(rows) > limit else None
    return TrashPage(of_tasks, of_lists, following)


async def restore_task(connection: Connection, user_id: str, task_id: UUID) -> Task:
    """Take the task out of the trash and return it, in the inbox if its list is deleted.

    One that is not deleted is unchanged. Raises NotFound, and HasRelatives if it has a parent, or may have subtasks.
    """
    row = await _RESTORE.fetch_one(connection, user_id=user_id, id=task_id)
    if row is None:
        raise NotFound("task")
    if not row[-1]:
        raise HasRelatives
    return Task._make(row[:-1])


async def erase_task(connection: Connection, user_id: str, task_id: UUID) -> None:
    """Overwrite the text of a task in the trash, which then is a tombstone. Raises NotFound."""
    if await _ERASE.fetch_one(connection, user_id=user_id, id=task_id) is None:
        raise NotFound("task")


async def empty_trash(database: Database, user_id: str) -> None:
    """Erase every task and list that is in the trash when the call has the account's lock."""
    await database.in_transaction(user_id, partial(_empty, user_id), is_long=True)


async def _empty(user_id: str, transaction: Transaction) -> None:
    parameters: dict[str, Any] = {"user_id": user_id}
    # If the connection breaks while the transaction waits for the lock, the server must not have the commit already: it
    # would erase what is deleted until then.
    await transaction.run((accounts.LOCK, parameters))
    await transaction.commit((_EMPTY, parameters), (_EMPTY_LISTS, parameters))
