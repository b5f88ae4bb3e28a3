"""Tasks: create, read, update and delete a single task. `storage/task_pages.py` lists them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.dml import ReturningInsert
from uuid6 import uuid7

from storage import accounts
from storage.driver.query import Connection, Query, Row
from storage.errors import NotFound, PreconditionFailed
from storage.schema import is_live, tasks


class Task(NamedTuple):
    """The columns of `tasks` that callers see. `priority` is 1 (low) to 3 (high); times are in UTC."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    completed_at: datetime | None
    priority: int
    due_date: date | None
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    revision: int


CHANGEABLE = ("title", "description", "completed", "priority", "due_date", "tags")
columns = [tasks.c[name] for name in Task._fields]

_id = bindparam("id", type_=Uuid)
_revisions = bindparam("revisions", type_=ARRAY(BigInteger))
_own = (tasks.c.user_id == accounts.owner, tasks.c.id == _id)

_old = (
    select(*columns)
    .select_from(tasks.join(accounts.lock, accounts.lock.c.user_id == tasks.c.user_id))
    .where(*_own, is_live)
    .with_for_update(of=tasks)
    .cte("old")
)
_matches = or_(_revisions.is_(None), _old.c.revision == any_(_revisions))


def insertion(stamp: CTE) -> ReturningInsert[Any]:
    """Return the statement that inserts a task at the revision and time of `stamp`, and returns its columns.

    Its parameters are `user_id`, `id`, and a value for each name in CHANGEABLE.
    """
    values = {name: bindparam(name, type_=tasks.c[name].type) for name in CHANGEABLE} | {
        "id": _id,
        "user_id": accounts.owner,
    }
    completed_at = case((values["completed"], stamp.c.at), else_=null())
    derived: dict[str, Any] = {"completed_at": completed_at, "created_at": stamp.c.at, "updated_at": stamp.c.at}
    values |= derived | {"revision": stamp.c.revision}
    row = select(*values.values()).select_from(stamp)
    return insert(tasks).from_select(list(values), row).returning(*columns)


def _get() -> Query:
    return Query(select(*columns).where(*_own, is_live))


@lru_cache(maxsize=64)
def _update(names: frozenset[str]) -> Query:
    """Return the statement that updates these columns.

    It returns the task and whether its revision matched, or no row if there is no such task.
    """
    new = {name: bindparam(name, type_=tasks.c[name].type) for name in sorted(names)}
    changed = or_(false(), *(_old.c[name].is_distinct_from(value) for name, value in new.items()))
    stamp = accounts.bump_if(exists(select(literal_column("1")).where(and_(_matches, changed)).select_from(_old)))
    at = _not_before_last_update(stamp.c.at)
    values: dict[str, Any] = new | {"revision": stamp.c.revision, "updated_at": at}
    if "completed" in new:
        completed_at = func.coalesce(tasks.c.completed_at, at)
        values["completed_at"] = case((new["completed"], completed_at), else_=null())
    updated = update(tasks).where(*_own).values(**values).returning(*columns).cte("updated")
    unchanged = select(*_old.c, _matches).where(~exists(select(literal_column("1")).select_from(updated)))
    return Query(union_all(select(*updated.c, true()), unchanged))


def _delete() -> Query:
    stamp = accounts.bump_if(exists(select(literal_column("1")).where(_matches).select_from(_old)))
    at = _not_before_last_update(stamp.c.at)
    deleted = update(tasks).where(*_own).values(deleted_at=at, updated_at=at, revision=stamp.c.revision)
    tombstone = deleted.returning(tasks.c.id).cte("deleted")
    return Query(select(*_old.c, exists(select(literal_column("1")).select_from(tombstone))))


def _not_before_last_update(at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """Return the time of a write, or that of the task's last one if the database's clock has been set back since."""
    return func.greatest(at, tasks.c.updated_at)


_CREATE = Query(insertion(accounts.bump_or_open()))
_GET = _get()
_DELETE = _delete()


def compile_update(name: str) -> None:
    """Compile the statement that updates this column alone, so that no request waits for it."""
    _update(frozenset({name}))


async def create_task(connection: Connection, user_id: str, values: Mapping[str, Any]) -> Task:
    """Store a new task and return it. `values` has a value for each name in CHANGEABLE."""
    row: Any = await _CREATE.fetch_one(connection, user_id=user_id, id=uuid7(), **values)
    return Task._make(row)


async def get_task(connection: Connection, user_id: str, task_id: UUID) -> Task:
    """Return the user's task. Raises NotFound."""
    row = await _GET.fetch_one(connection, user_id=user_id, id=task_id)
    if row is None:
        raise NotFound("task")
    return Task._make(row)


async def update_task(
    connection: Connection,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    revisions: Sequence[int] | None,
) -> Task:
    """Update the task and return it. If no value differs, the task keeps its revision.

    `values` has new values for some of the names in CHANGEABLE. The task is updated only if its revision is in
    `revisions`; None allows any. Raises NotFound and PreconditionFailed.
    """
    query = _update(frozenset(values))
    row = await query.fetch_one(connection, user_id=user_id, id=task_id, revisions=revisions, **values)
    return _accepted(row)


async def delete_task(connection: Connection, user_id: str, task_id: UUID, revisions: Sequence[int] | None) -> None:
    """Delete the task. `revisions` and the errors raised are those of `update_task`."""
    _accepted(await _DELETE.fetch_one(connection, user_id=user_id, id=task_id, revisions=revisions))


def _accepted(row: Row | None) -> Task:
    if row is None:
        raise NotFound("task")
    *task, accepted = row
    if not accepted:
        raise PreconditionFailed("task", Task._make(task))
    return Task._make(task)
