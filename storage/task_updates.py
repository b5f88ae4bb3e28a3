"""Tasks: update a single task, and skip an occurrence."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    false,
    null,
    select,
    true,
    union_all,
    update,
)

from storage import accounts, list_of_task, series
from storage.driver.query import Connection, Query
from storage.errors import HasRelatives, NoSuchList, NotFound, PreconditionFailed, SeriesMovedOn
from storage.optimistic import until_unchanged
from storage.plain_writes import keeps_family, plain
from storage.schema import is_live, tasks
from storage.series import Now, Step
from storage.tasks import (
    OVERWRITTEN,
    Task,
    accepted,
    columns,
    differs,
    followed,
    following,
    has_rows,
    is_accepted,
    locked,
    not_before_last_update,
    own,
    parameters_for,
    preferred_zone,
    task_in,
    updated,
)

_old = locked(is_live)


@lru_cache(maxsize=256)
def _update(names: frozenset[str], *, in_list: bool) -> Query:
    """Return the statement that updates these columns, if SQL may, and if the list is there that the task is to be in.

    It returns the task, the preferred time zone if that may matter, whether the task is as it is to be, and whether its
    revision matched; or no row if there is no such task.
    """
    new, is_plain = plain(_old, parameters_for(sorted(names)))
    is_changed = has_rows(_old, and_(is_accepted(_old), is_plain, differs(_old, new)))
    stamp = accounts.bump_if(and_(is_changed, *([list_of_task.is_there] if in_list else [])))
    written = updated(new, stamp)
    zone = preferred_zone if "completed" in names else null()
    left = select(*task_in(_old), zone, is_plain, is_accepted(_old)).where(~has_rows(written))
    return Query(union_all(select(*written.c, null().cast(Text), true(), true()), left))


@lru_cache(maxsize=64)
def _write(names: frozenset[str], *, in_list: bool, has_next: bool, removes_next: bool) -> Query:
    """Return the statement that updates these columns, and creates or removes the next occurrence.

    A task that has subtasks, or whose list is that of its parent, is left to `storage/families.py`. The statement
    returns the task, whether it is so left, whether it is written (NULL if its list is not there), and whether its
    revision matched; or no row if there is no such task.
    """
    new = parameters_for(sorted(names))
    is_alone = and_(~_old.c.is_parent, keeps_family(_old, new))
    conditions: list[ColumnElement[bool]] = [list_of_task.is_there] if in_list else []
    if removes_next:
        untouched = _untouched()
        is_alone = and_(is_alone, ~has_rows(untouched, untouched.c.is_parent))
        conditions.append(has_rows(untouched))
    conditions.append(has_rows(_old, is_accepted(_old), is_alone))
    stamp = accounts.bump_if(and_(*conditions), 1 + (has_next or removes_next))
    written = updated(new, stamp)
    refused = case((list_of_task.is_there, false()), else_=null()) if in_list else false()
    left = select(*task_in(_old), ~is_alone, refused, is_accepted(_old)).where(~has_rows(written))
    query = union_all(select(*written.c, false(), true(), true()), left)
    if has_next:
        query = query.add_cte(followed(written))
    return Query(query.add_cte(_removed(stamp)) if removes_next else query)


_next_id = bindparam("removed_id", type_=Uuid)


def _untouched() -> CTE:
    """Return a CTE with the next occurrence, if that has the revision `removed_revision`. It locks the row."""
    is_that_revision = tasks.c.revision == bindparam("removed_revision", type_=BigInteger)
    row = select(tasks.c.id, tasks.c.is_parent).where(tasks.c.user_id == accounts.owner, tasks.c.id == _next_id)
    return row.where(has_rows(_old), is_that_revision, is_live).with_for_update().cte("untouched")


def _removed(stamp: CTE) -> CTE:
    """Return a CTE that makes the next occurrence a tombstone, which takes the second revision."""
    at = not_before_last_update(stamp.c.at)
    tombstone = {**OVERWRITTEN, "updated_at": at, "deleted_at": at, "erased_at": at, "revision": stamp.c.revision + 1}
    row = update(tasks).where(tasks.c.user_id == accounts.owner, tasks.c.id == _next_id).values(**tombstone)
    return row.returning(tasks.c.id).cte("removed")


_READ = Query(select(*columns, preferred_zone).where(*own, is_live))


def compile_update(name: str) -> None:
    """Compile the statements that update or clear this column alone, so that no request waits for them."""
    _update(frozenset({name}), in_list=False)
    _update(frozenset(series.settled({name: None})), in_list=False)


async def update_task(
    connection: Connection,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    revisions: Sequence[int] | None,
    *,
    keep_next: bool = False,
) -> Task:
    """Update the task and return it. If no value differs, the task keeps its revision.

    `values` has new values for some of the names in CHANGEABLE. The task is updated only if its revision is in
    `revisions`; None allows any. Completing a recurring task creates the next occurrence. Reopening it removes that, or
    leaves the series with `keep_next`. A `parent_id` is None. Raises NotFound, PreconditionFailed, NoDueDate,
    NoSuchList, ImpossibleRecurrence, RecurringSubtask, SeriesMovedOn, and HasRelatives if relatives change too, or
    decide on the list.
    """
    new = series.settled(values)
    if new.get("recurrence") is not None:
        task, zone = await _read(connection, user_id, task_id, revisions)
    else:
        fixed = {"user_id": user_id, "id": task_id, "revisions": revisions}
        query = _update(frozenset(new), in_list=new.get("list_id") is not None)
        row = await query.fetch_one(connection, **fixed, **new)
        task = accepted(row and (*row[:-3], row[-1]))
        if row and row[-2]:
            return list_of_task.checked(task, values)
        zone = row[-3] if row else None

    async def write(current: Task) -> Task:
        now = Now(datetime.now(UTC), zone)
        return await take_step(connection, current, series.of_task(current, values, now, keep_next=keep_next))

    return await until_unchanged(task, revisions, write)


async def skip_occurrence(connection: Connection, user_id: str, task_id: UUID, revisions: Sequence[int] | None) -> Task:
    """Move the task to its next occurrence, and return it.

    `revisions` is that of `update_task`. Raises NotFound, PreconditionFailed, NoNextOccurrence and HasRelatives.
    """
    task, zone = await _read(connection, user_id, task_id, revisions)

    async def write(current: Task) -> Task:
        return await take_step(connection, current, series.skipped(current, Now(datetime.now(UTC), zone)))

    return await until_unchanged(task, revisions, write)


async def take_step(connection: Connection, task: Task, step: Step) -> Task:
    """Write what was decided about a task, if it still has its revision, and return it.

    A step that changes nothing takes no revision. Raises NotFound, PreconditionFailed, HasRelatives, NoSuchList and
    SeriesMovedOn.
    """
    if all(getattr(task, name) == value for name, value in step.values.items()):
        return task
    try:
        return await _take(connection, task, step, task.next_revision)
    except SeriesMovedOn:
        return await _take(connection, task, step, await _revision_as_created(connection, task))


async def _take(connection: Connection, task: Task, step: Step, next_revision: int | None) -> Task:
    """Write a step. If it removes the next occurrence, that must have this revision, or SeriesMovedOn is raised."""
    in_list, has_next = step.values.get("list_id") is not None, step.following is not None
    query = _write(frozenset(step.values), in_list=in_list, has_next=has_next, removes_next=step.removes_next)
    parameters = {"user_id": task.user_id, "id": task.id, "revisions": [task.revision], **following(step.following)}
    if step.removes_next:
        parameters |= {"removed_id": task.next_task_id, "removed_revision": next_revision}
    row = await query.fetch_one(connection, **parameters, **step.values)
    written = accepted(row and (*row[:-3], row[-1]))
    if row and row[-3]:
        raise HasRelatives
    if row and not row[-2]:
        raise NoSuchList if row[-2] is None else SeriesMovedOn
    return written


async def _revision_as_created(connection: Connection, task: Task) -> int | None:
    """Return the revision of the next occurrence, None if that is deleted or not as it was created."""
    row = await _READ.fetch_one(connection, user_id=task.user_id, id=task.next_task_id)
    if row is None:
        return None
    next_task, zone = Task._make(row[:-1]), row[-1]
    return next_task.revision if series.is_as_created(next_task, task, zone) else None


async def _read(
    connection: Connection, user_id: str, task_id: UUID, revisions: Sequence[int] | None
) -> tuple[Task, str | None]:
    """Return the task, and the time zone that its user prefers. Raises NotFound and PreconditionFailed."""
    row = await _READ.fetch_one(connection, user_id=user_id, id=task_id)
    if row is None:
        raise NotFound("task")
    task = Task._make(row[:-1])
    if revisions is not None and task.revision not in revisions:
        raise PreconditionFailed("task", task)
    return task, row[-1]
