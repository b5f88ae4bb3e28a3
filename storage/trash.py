"""The trash: deleted tasks, which can be restored until they are erased or purged."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Text,
    Update,
    Uuid,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    tuple_,
    union_all,
    update,
)

from storage import accounts
from storage.driver.database import Database
from storage.driver.query import Connection, Query, Row
from storage.driver.transaction import Transaction
from storage.errors import NotFound
from storage.schema import is_in_trash, tasks
from storage.task_pages import Position
from storage.tasks import Task, changed, columns, has_rows, locked, not_before_last_update, own, task_in


class TrashedTask(NamedTuple):
    """A deleted task, when it was deleted, and the deletion, which it shares with all that one request deleted."""

    task: Task
    deleted_at: datetime
    deletion_id: UUID


class TrashPage(NamedTuple):
    """A page of deleted tasks. `next` is the position that the next page follows, None on the last page."""

    tasks: Sequence[TrashedTask]
    next: Position | None


deletion_id = func.coalesce(tasks.c.deletion_id, tasks.c.id)
"""The deletion of a deleted task. What a release before 0.4.0 deleted was a deletion of its own."""
# A release before 0.4.0 would leave a deletion_id as it is when it deletes the task again.
RESTORED: Mapping[str, ColumnElement[Any]] = {"deleted_at": null(), "deletion_id": null()}
"""The new values of a task that is taken out of the trash."""


def _list(*, after_position: bool) -> Query:
    matching = [tasks.c.user_id == accounts.owner, is_in_trash]
    if after_position:
        key = cast(bindparam("key", type_=Text), DateTime(timezone=True))
        position = tuple_(key, bindparam("id", type_=Uuid))
        matching.append(tuple_(tasks.c.deleted_at, tasks.c.id) < position)
    rows = select(*columns, tasks.c.deleted_at, deletion_id).where(*matching)
    newest_first = rows.order_by(tasks.c.deleted_at.desc(), tasks.c.id.desc())
    return Query(newest_first.limit(bindparam("limit", type_=BigInteger)))


def _restore() -> Query:
    """Return the statement, which returns the task as it is now, or no row if it is neither in the trash nor live."""
    old = locked(tasks.c.erased_at.is_(None))
    stamp = accounts.bump_if(has_rows(old, old.c.deleted_at.is_not(None)))
    at = not_before_last_update(stamp.c.at)
    values = changed(RESTORED, stamp.c.revision, at)
    restored = update(tasks).where(*own).values(**values).returning(*columns).cte("restored")
    return Query(union_all(select(*restored.c), select(*task_in(old)).where(~has_rows(restored))))


def _erased(*chosen: ColumnElement[bool]) -> Update:
    """Return the update that overwrites the text of these tasks. It takes no revision."""
    overwritten = {"title": literal_column("''"), "description": null(), "tags": literal_column("'{}'")}
    return update(tasks).where(*chosen).values(**overwritten, erased_at=accounts.stamp.c.at)


def _erase() -> Query:
    """Return the statement, which returns a row if the task was in the trash."""
    # With the condition itself, PostgreSQL may search all that the user has deleted instead of the primary key.
    old = locked(tasks.c.erased_at.is_(None))
    return Query(_erased(*own, has_rows(old, old.c.deleted_at.is_not(None))).returning(tasks.c.id))


_FIRST_PAGE, _NEXT_PAGE = _list(after_position=False), _list(after_position=True)
_RESTORE = _restore()
_ERASE = _erase()
_EMPTY = Query(_erased(tasks.c.user_id == accounts.owner, is_in_trash))


async def list_trash(connection: Connection, user_id: str, *, limit: int, after: Position | None) -> TrashPage:
    """Return up to `limit` deleted tasks, the latest deletion first; those that follow a position, if there is one."""
    query, values = (_FIRST_PAGE, {}) if after is None else (_NEXT_PAGE, after._asdict())
    rows = await query.fetch_all(connection, user_id=user_id, limit=limit + 1, **values)
    found = [_trashed(row) for row in rows[:limit]]
    following = Position(str(found[-1].deleted_at), found[-1].task.id) if len(rows) > limit else None
    return TrashPage(found, following)


async def restore_task(connection: Connection, user_id: str, task_id: UUID) -> Task:
    """Take the task out of the trash and return it. One that is not deleted is unchanged. Raises NotFound."""
    row = await _RESTORE.fetch_one(connection, user_id=user_id, id=task_id)
    if row is None:
        raise NotFound("task")
    return Task._make(row)


async def erase_task(connection: Connection, user_id: str, task_id: UUID) -> None:
    """Overwrite the text of a task in the trash, which then is a tombstone. Raises NotFound."""
    if await _ERASE.fetch_one(connection, user_id=user_id, id=task_id) is None:
        raise NotFound("task")


async def empty_trash(database: Database, user_id: str) -> None:
    """Erase every task that is in the trash when the call has the account's lock."""
    await database.in_transaction(user_id, partial(_empty, user_id), is_long=True)


async def _empty(user_id: str, transaction: Transaction) -> None:
    parameters: dict[str, Any] = {"user_id": user_id}
    # If the connection breaks while the transaction waits for the lock, the server must not have the commit already: it
    # would erase what is deleted until then.
    await transaction.run((accounts.LOCK, parameters))
    await transaction.commit((_EMPTY, parameters))


def _trashed(row: Row) -> TrashedTask:
    *task, deleted_at, deletion = row
    return TrashedTask(Task._make(task), deleted_at, deletion)
