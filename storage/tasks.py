"""Tasks: create, read, update and delete a single task.

`storage/task_pages.py` lists them, `storage/task_replacement.py` replaces one, `storage/trash.py` has the deleted ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
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
from uuid6 import uuid7

from storage import accounts, due, list_of_task, new_positions
from storage.driver.query import Connection, Query, Row
from storage.errors import HasRelatives, NoSuchList, NotFound, PreconditionFailed
from storage.optimistic import until_unchanged
from storage.schema import is_live, position, tasks


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
    due_time: time | None
    time_zone: str | None
    due_at: datetime | None
    tags: list[str]
    list_id: UUID | None
    parent_id: UUID | None
    position: str
    created_at: datetime
    updated_at: datetime
    revision: int


_OWN = ("title", "description", "completed", "priority", "due_date", "due_time", "time_zone", "tags")
CHANGEABLE = (*_OWN, "list_id", "parent_id", "position")
"""What callers set."""
WRITTEN = (*CHANGEABLE, "due_at")
"""What a write of all values sets: `due_at` follows from the date, the time and the zone."""
columns = [position if name == "position" else tasks.c[name] for name in Task._fields]

own = (tasks.c.user_id == accounts.owner, tasks.c.id == bindparam("id", type_=Uuid))
_revisions = bindparam("revisions", type_=ARRAY(BigInteger))


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


def is_at_no_instant(old: CTE, new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return whether a task with these new values may be as they say, and has no `due_at`.

    Otherwise only Python knows: it has the rules of time zones, and rejects a time without a date.
    """
    after = {name: new.get(name, old.c[name]) for name in due.MEMBERS}
    time_or_zone = [after[name].is_(None) for name in due.MEMBERS if name != "due_date"]
    return and_(or_(*time_or_zone), or_(after["due_date"].is_not(None), and_(*time_or_zone)))


def without_instant(old: CTE, new: dict[str, ColumnElement[Any]]) -> tuple[dict[str, Any], ColumnElement[bool]]:
    """Return new values with what follows for `due_at`, and whether SQL may write them."""
    if "due_at" in new or not any(name in new for name in due.MEMBERS):
        return new, true()
    return {**new, "due_at": null()}, is_at_no_instant(old, new)


def keeps_family(old: CTE, new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return whether these values leave a subtask in the list of its parent, and a parent in that of its subtasks.

    Values with both a list and a parent are those of `family.placed`, which are known to.
    """
    if "list_id" not in new or "parent_id" in new:
        return true()
    is_alone = and_(old.c.parent_id.is_(None), ~old.c.is_parent)
    return or_(is_alone, old.c.list_id.is_not_distinct_from(new["list_id"]))


def created(new: Mapping[str, ColumnElement[Any]], stamp: CTE, *conditions: ColumnElement[bool]) -> Insert:
    """Return the insertion of a task, with a value for each name in WRITTEN, if these conditions hold.

    A task whose position is NULL comes where the user prefers.
    """
    completed_at = case((new["completed"], stamp.c.at), else_=null())
    place = func.coalesce(new["position"], new_positions.preferred(stamp.c.revision))
    values = {**new, "id": bindparam("id", type_=Uuid), "user_id": accounts.owner, "completed_at": completed_at}
    values |= {"position": place, "created_at": stamp.c.at, "updated_at": stamp.c.at, "revision": stamp.c.revision}
    row = select(*values.values()).select_from(stamp).where(*conditions)
    return insert(tasks).from_select(list(values), row)


def updated(new: Mapping[str, ColumnElement[Any]], stamp: CTE, *conditions: ColumnElement[bool]) -> CTE:
    """Return a CTE that sets these columns of the task, if these conditions hold, and returns the task."""
    values = changed(new, stamp.c.revision, not_before_last_update(stamp.c.at))
    return update(tasks).where(*own, *conditions).values(**values).returning(*columns).cte("updated")


def changed(
    new: Mapping[str, ColumnElement[Any]], revision: ColumnElement[int], at: ColumnElement[datetime]
) -> dict[str, ColumnElement[Any]]:
    """Return all values that an update sets: the new ones of some columns, and what follows from them and the write."""
    values = {**new, "revision": revision, "updated_at": at}
    if "completed" in new:
        completed_at = func.coalesce(tasks.c.completed_at, at)
        values["completed_at"] = case((new["completed"], completed_at), else_=null())
    return values


def values_of_new(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of `created` for the values of a new task, of which some may be absent."""
    return {"position": None, **due.of_new_task(values)}


def _create(*, in_list: bool) -> Query:
    """Return the statement that creates a task, which returns no row if it is to be in a list that is not there."""
    stamp = accounts.bump_or_open_if(list_of_task.is_there) if in_list else accounts.bump_or_open()
    return Query(created(parameters_for(WRITTEN), stamp).returning(*columns))


def _get() -> Query:
    return Query(select(*columns).where(*own, is_live))


@lru_cache(maxsize=256)
def _update(names: frozenset[str], *, in_list: bool) -> Query:
    """Return the statement that updates these columns, but only if the list is there, if the task is to be in one.

    It returns the task, whether its revision matched, and whether the values are such that SQL may write them, or no
    row if there is no such task.
    """
    new, is_plain = without_instant(_old, parameters_for(sorted(names)))
    is_allowed = [list_of_task.is_there] if in_list else []
    is_changed = has_rows(_old, is_accepted(_old), is_plain, keeps_family(_old, new), differs(_old, new))
    stamp = accounts.bump_if(and_(is_changed, *is_allowed))
    written = updated(new, stamp)
    unchanged = select(*task_in(_old), is_accepted(_old), is_plain).where(~has_rows(written))
    return Query(union_all(select(*written.c, true(), true()), unchanged))


def _delete() -> Query:
    stamp = accounts.bump_if(has_rows(_old, is_accepted(_old), ~_old.c.is_parent))
    at = not_before_last_update(stamp.c.at)
    deleted = update(tasks).where(*own).values(**changed(deleted_values(at), stamp.c.revision, at))
    tombstone = deleted.returning(tasks.c.id).cte("deleted")
    return Query(select(*task_in(_old), is_accepted(_old), has_rows(tombstone)))


def deleted_values(at: ColumnElement[datetime]) -> dict[str, ColumnElement[Any]]:
    """Return the values that move a task to the trash, under the parameter `deletion_id`."""
    return {"deleted_at": at, "deletion_id": bindparam("deletion_id", type_=Uuid)}


def not_before_last_update(at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """Return the time of a write, or that of the task's last one if the database's clock has been set back since."""
    return func.greatest(at, tasks.c.updated_at)


_old = locked(is_live)
_CREATE, _CREATE_IN_LIST = _create(in_list=False), _create(in_list=True)
_GET = _get()
_DELETE = _delete()


def compile_update(name: str) -> None:
    """Compile the statements that update or clear this column alone, so that no request waits for them."""
    _update(frozenset({name}), in_list=False)
    _update(frozenset(due.settled({name: None})), in_list=False)


async def create_task(connection: Connection, user_id: str, values: Mapping[str, Any]) -> Task:
    """Store a new task and return it.

    `values` has a value for each name in CHANGEABLE; time, zone and position may be absent. Raises NoSuchList.
    """
    query = _CREATE if values["list_id"] is None else _CREATE_IN_LIST
    row = await query.fetch_one(connection, user_id=user_id, id=uuid7(), **values_of_new(values))
    if row is None:
        raise NoSuchList
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
    `revisions`; None allows any. Raises NotFound, PreconditionFailed, NoDueDate and NoSuchList.
    """

    async def attempt(new: Mapping[str, Any], accepted: Sequence[int] | None) -> tuple[Task, bool]:
        query = _update(frozenset(new), in_list=new.get("list_id") is not None)
        row = await query.fetch_one(connection, user_id=user_id, id=task_id, revisions=accepted, **new)
        return _accepted(row[:-1] if row else None), bool(row and row[-1])

    async def write(current: Task) -> Task:
        return (await attempt(due.of_task(current, values), [current.revision]))[0]

    task, is_plain = await attempt(due.settled(values), revisions)
    if not is_plain:
        task = await until_unchanged(task, revisions, write)
    return list_of_task.checked(task, values)


async def delete_task(connection: Connection, user_id: str, task_id: UUID, revisions: Sequence[int] | None) -> None:
    """Move the task to the trash. `revisions` is that of `update_task`.

    Raises NotFound, PreconditionFailed, and HasRelatives if it may have some, which `families.delete_task` deletes too.
    """
    # Nothing is sorted by deletion ids, and version 4 takes two thirds of the time of version 7.
    parameters = {"user_id": user_id, "id": task_id, "revisions": revisions, "deletion_id": uuid4()}
    row = await _DELETE.fetch_one(connection, **parameters)
    _accepted(row and row[:-1])
    if row and not row[-1]:
        raise HasRelatives


def _accepted(row: Row | None) -> Task:
    if row is None:
        raise NotFound("task")
    *task, accepted = row
    if not accepted:
        raise PreconditionFailed("task", Task._make(task))
    return Task._make(task)
