"""Tasks: create or replace a task under an id that the caller chooses, in one statement."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Text, and_, bindparam, case, literal_column, null, or_, select, union_all

from storage import accounts, due, list_of_task
from storage.driver.query import Connection, Query, Row
from storage.errors import Conflict, NoSuchList, PreconditionFailed
from storage.optimistic import until_unchanged
from storage.tasks import (
    WRITTEN,
    Task,
    columns,
    created,
    differs,
    has_rows,
    is_accepted,
    keeps_family,
    locked,
    parameters_for,
    task_in,
    updated,
    without_instant,
)


class Put(NamedTuple):
    """The task after a call, and whether the call created it."""

    task: Task
    is_new: bool


_may_create = bindparam("may_create", type_=Boolean)


@lru_cache(maxsize=64)
def _put(names: frozenset[str], *, in_list: bool) -> Query:
    """Return the statement, which returns a task and what became of it, or no row if there is none to replace.

    A task keeps its values of the columns that are not among `names`. It is `left` as it is if only Python can tell
    what follows from that. If it is to be in a list that is not there, nothing is written.

    If another transaction inserts the task while the statement waits for the account's lock, the statement does not see
    it, and its own insertion fails on the primary key. The pipeline then repeats the statement, which finds the task.
    """
    old = locked()
    new, is_plain = without_instant(old, parameters_for(sorted(names)))
    # What is absent from the request is absent from a new task.
    new_task = {name: new.get(name, null()) for name in WRITTEN}
    is_there, is_live = has_rows(old), old.c.deleted_at.is_(None)
    is_replaced = has_rows(old, is_live, is_accepted(old), is_plain, keeps_family(old, new), differs(old, new))
    is_allowed = [list_of_task.is_there] if in_list else []
    stamp = accounts.bump_or_open_if(and_(or_(and_(_may_create, ~is_there), is_replaced), *is_allowed))
    made = created(new_task, stamp, ~is_there).returning(*columns).cte("created")
    # Citus runs each CTE with a snapshot of its own, so this one sees what the one above has inserted.
    replaced = updated(new, stamp, is_there)
    refused = (~is_live, _text("deleted")), (~is_accepted(old), _text("refused")), (~is_plain, _text("left"))
    kept = case(*refused, else_=_text("unchanged"))
    return Query(
        union_all(
            select(*made.c, _text("created")),
            select(*replaced.c, _text("replaced")),
            select(*task_in(old), kept).where(~has_rows(replaced)),
        )
    )


def _text(outcome: str) -> ColumnElement[str]:
    return literal_column(f"'{outcome}'", Text)


# What clients send that know neither times nor lists: with a date, and without one.
_put(frozenset(WRITTEN) - {"due_time", "time_zone", "due_at", "list_id", "parent_id", "position"}, in_list=False)
_put(frozenset(WRITTEN) - {"list_id", "parent_id", "position"}, in_list=False)


async def put_task(
    connection: Connection,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    *,
    revisions: Sequence[int] | None,
    may_create: bool,
) -> Put:
    """Create the task, or replace its values. If no value differs, the task keeps its revision.

    `values` has a value for each name in CHANGEABLE. Time, zone, list and position may be absent: a task keeps its own.
    A task that is there must have a revision in `revisions`; None allows any. Raises PreconditionFailed if it has
    another, or if it is absent or deleted and `may_create` is false. Raises Conflict if it is deleted and `may_create`
    is true, and NoSuchList.
    """

    async def attempt(new: Mapping[str, Any], accepted: Sequence[int] | None) -> tuple[Task, str]:
        query = _put(frozenset(new), in_list=new.get("list_id") is not None)
        fixed = {"user_id": user_id, "id": task_id, "revisions": accepted, "may_create": may_create}
        return _read(await query.fetch_one(connection, **fixed, **new), may_create=may_create)

    async def write(current: Task) -> tuple[Task, str]:
        return await attempt(due.of_task(current, values), [current.revision])

    task, outcome = await attempt(due.settled(values), revisions)
    if outcome == "left":
        task, outcome = await until_unchanged(task, revisions, write)
    return Put(list_of_task.checked(task, values), outcome == "created")


def _read(row: Row | None, *, may_create: bool) -> tuple[Task, str]:
    """Return the task and what became of it. Raises PreconditionFailed, Conflict and NoSuchList."""
    if row is None:
        raise NoSuchList if may_create else PreconditionFailed("task", None)
    *task, outcome = row
    if outcome == "deleted":
        raise Conflict("task") if may_create else PreconditionFailed("task", None)
    if outcome == "refused":
        raise PreconditionFailed("task", Task._make(task))
    return Task._make(task), outcome
