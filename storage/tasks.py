"""Tasks: read and delete a single task, and the parts of statements that write one.

`storage/task_pages.py` lists them, `storage/task_creation.py` creates one, `storage/task_updates.py` updates one,
`storage/task_replacement.py` replaces one, and `storage/trash.py` has the deleted ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
    Uuid,
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
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts, new_positions
from storage.driver.query import Connection, Query, Row
from storage.errors import HasRelatives, NotFound, PreconditionFailed
from storage.recurrence import Recurrence
from storage.schema import is_live, position, preferences, tasks


class Task(NamedTuple):
    """The columns of `tasks` that callers see. `priority` is 1 (low) to 3 (high); times are in UTC.

    `next_revision` is the revision that the next occurrence had when it was created.
    """

    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    completed_at: datetime | None
    priority: int
    due_date: date | None
    due_time: time | None
    time_zone: str | None
    due_at: datetime | None
    recurrence: Recurrence | None
    series_id: UUID | None
    occurrence_date: date | None
    next_task_id: UUID | None
    next_revision: int | None
    tags: list[str]
    list_id: UUID | None
    parent_id: UUID | None
    position: str
    created_at: datetime
    updated_at: datetime
    revision: int


_PLAIN = (
    *("title", "description", "completed", "priority", "due_date", "due_time", "time_zone", "tags"),
    *("list_id", "parent_id", "position"),
)
CHANGEABLE = (*_PLAIN, "recurrence")
"""What callers set."""
WRITTEN = (*_PLAIN, "due_at")
"""What creating a task sets that does not recur: `due_at` follows from the date, the time and the zone."""
RECURRING = (*WRITTEN, "recurrence", "series_id", "occurrence_date")
"""What creating a recurring task sets."""
_OWN = {"id", "user_id", "completed", "completed_at", "due_date", "due_at", "recurrence", "occurrence_date"}
_OWN |= {"next_task_id", "next_revision", "created_at", "updated_at", "revision"}
COPIED = tuple(name for name in Task._fields if name not in _OWN)
"""What an occurrence has from the one before it."""
_FOLLOWING = ("id", "due_date", "due_at", "recurrence", "occurrence_date", "position")
columns = [position if name == "position" else tasks.c[name] for name in Task._fields]

own = (tasks.c.user_id == accounts.owner, tasks.c.id == bindparam("id", type_=Uuid))
_revisions = bindparam("revisions", type_=ARRAY(BigInteger))
_ONE = literal_column("1", BigInteger)
preferred_zone = select(preferences.c.time_zone).where(preferences.c.user_id == accounts.owner).scalar_subquery()
"""The time zone that the user prefers. NULL if there is none."""
OVERWRITTEN: Mapping[str, ColumnElement[Any]] = {
    "title": literal_column("''"),
    "description": null(),
    "tags": literal_column("'{}'"),
}
"""The text of a tombstone."""


def locked(*conditions: ColumnElement[bool]) -> CTE:
    """Return a CTE with the task, if it meets these conditions, and its `deleted_at` and `is_parent`.

    It locks the account first, then the task, and has the task as it is under that lock. It does not join the account:
    in a statement that also inserts the result of a query, Citus cannot read the rows of such a join.
    """
    row = select(*columns, tasks.c.deleted_at, tasks.c.is_parent).where(*own, has_rows(accounts.lock), *conditions)
    return row.with_for_update(of=tasks).cte("old")


def task_in(row: CTE) -> list[ColumnElement[Any]]:
    """Return the columns that make a `Task`."""
    return [row.c[name] for name in Task._fields]


def has_rows(row: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether a CTE has a row that meets these conditions."""
    return exists(select(literal_column("1")).where(*conditions).select_from(row))


def is_accepted(old: CTE) -> ColumnElement[bool]:
    """Return whether the parameter `revisions` has the task's revision, or is NULL and allows any."""
    return or_(_revisions.is_(None), old.c.revision == any_(_revisions))


def parameters_for(names: Iterable[str]) -> dict[str, ColumnElement[Any]]:
    """Return the parameters of a statement that sets these columns."""
    return {name: bindparam(name, type_=tasks.c[name].type) for name in names}


def differs(old: CTE, new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return whether any of the new values is not the old one."""
    return or_(false(), *(old.c[name].is_distinct_from(value) for name, value in new.items()))


def created(new: Mapping[str, ColumnElement[Any]], stamp: CTE, *conditions: ColumnElement[bool]) -> Insert:
    """Return the insertion of a task if these conditions hold. `new` has a value for each name in WRITTEN at least.

    A task whose position is NULL comes where the user prefers.
    """
    completed_at = case((new["completed"], stamp.c.at), else_=null())
    place = func.coalesce(new["position"], new_positions.preferred(stamp.c.revision))
    values = {**new, "id": bindparam("id", type_=Uuid), "user_id": accounts.owner, "completed_at": completed_at}
    values |= {"position": place, "created_at": stamp.c.at, "updated_at": stamp.c.at, "revision": stamp.c.revision}
    values |= _revision_of_next(new, stamp.c.revision)
    row = select(*values.values()).select_from(stamp).where(*conditions)
    return insert(tasks).from_select(list(values), row)


def updated(new: Mapping[str, ColumnElement[Any]], stamp: CTE, *conditions: ColumnElement[bool]) -> CTE:
    """Return a CTE that sets these columns of the task, if these conditions hold, and returns the task."""
    values = changed(new, stamp.c.revision, not_before_last_update(stamp.c.at))
    return update(tasks).where(*own, *conditions).values(**values).returning(*columns).cte("updated")


def followed(this: CTE) -> CTE:
    """Return a CTE that creates the occurrence after `this`, a CTE that returns a recurring task.

    Its parameters are those of `following`.
    """
    given = {name: bindparam(f"following_{name}", type_=tasks.c[name].type) for name in _FOLLOWING}
    values = {"user_id": accounts.owner, **{name: this.c[name] for name in COPIED}, **given, "completed": false()}
    values |= {"position": func.coalesce(given["position"], this.c.position)}
    values |= {"created_at": this.c.updated_at, "updated_at": this.c.updated_at, "revision": this.c.revision + _ONE}
    row = select(*values.values()).select_from(this)
    return insert(tasks).from_select(list(values), row).returning(tasks.c.id).cte("following")


def following(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters of `followed`: what the next occurrence does not copy, if there is a next one.

    The position may be absent, and is copied then.
    """
    return {} if values is None else {f"following_{name}": values.get(name) for name in _FOLLOWING}


def changed(
    new: Mapping[str, ColumnElement[Any]], revision: ColumnElement[int], at: ColumnElement[datetime]
) -> dict[str, ColumnElement[Any]]:
    """Return all values that an update sets: the new ones of some columns, and what follows from them and the write."""
    values = {**new, "revision": revision, "updated_at": at}
    if "completed" in new:
        completed_at = func.coalesce(tasks.c.completed_at, at)
        values["completed_at"] = case((new["completed"], completed_at), else_=null())
    return values | _revision_of_next(new, revision)


def _revision_of_next(new: Mapping[str, ColumnElement[Any]], revision: ColumnElement[int]) -> dict[str, Any]:
    """Return the revision of the next occurrence, which is the one after this write's, if the write creates it."""
    return {"next_revision": revision + _ONE} if "next_task_id" in new and "next_revision" not in new else {}


def _get() -> Query:
    return Query(select(*columns).where(*own, is_live))


def _delete() -> Query:
    stamp = accounts.bump_if(has_rows(_old, is_accepted(_old), ~_old.c.is_parent))
    at = not_before_last_update(stamp.c.at)
    deleted = update(tasks).where(*own).values(**changed(deleted_values(at), stamp.c.revision, at))
    tombstone = deleted.returning(tasks.c.id).cte("deleted")
    return Query(select(*task_in(_old), has_rows(tombstone), is_accepted(_old)))


def deleted_values(at: ColumnElement[datetime]) -> dict[str, ColumnElement[Any]]:
    """Return the values that move a task to the trash, under the parameter `deletion_id`."""
    return {"deleted_at": at, "deletion_id": bindparam("deletion_id", type_=Uuid)}


def not_before_last_update(at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """Return the time of a write, or that of the task's last one if the database's clock has been set back since."""
    return func.greatest(at, tasks.c.updated_at)


_old = locked(is_live)
_GET = _get()
_DELETE = _delete()
ZONE = Query(select(preferred_zone))
"""Finds the time zone that the user prefers."""


async def preferred_zone_of(connection: Connection, user_id: str) -> str | None:
    """Return the time zone that the user prefers, None if there is none."""
    ((zone,),) = await ZONE.fetch_all(connection, user_id=user_id)
    return None if zone is None else str(zone)


async def get_task(connection: Connection, user_id: str, task_id: UUID) -> Task:
    """Return the user's task. Raises NotFound."""
    row = await _GET.fetch_one(connection, user_id=user_id, id=task_id)
    if row is None:
        raise NotFound("task")
    return Task._make(row)


async def delete_task(connection: Connection, user_id: str, task_id: UUID, revisions: Sequence[int] | None) -> None:
    """Move the task to the trash. `revisions` is that of `update_task`.

    Raises NotFound, PreconditionFailed, and HasRelatives if it may have subtasks, which are to be deleted with it.
    """
    # Nothing is sorted by deletion ids, and version 4 takes two thirds of the time of version 7.
    parameters = {"user_id": user_id, "id": task_id, "revisions": revisions, "deletion_id": uuid4()}
    row = await _DELETE.fetch_one(connection, **parameters)
    accepted(row and (*row[:-2], row[-1]))
    if row and not row[-2]:
        raise HasRelatives


def accepted(row: Row | None) -> Task:
    """Return the task of a row that ends with whether its revision matched. Raises NotFound and PreconditionFailed."""
    if row is None:
        raise NotFound("task")
    *task, accepted = row
    if not accepted:
        raise PreconditionFailed("task", Task._make(task))
    return Task._make(task)
