"""Tasks: create or replace a task under an id that the caller chooses, in one statement."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    false,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from storage import accounts, list_of_task, series
from storage.driver.query import Connection, Query, Row
from storage.errors import Conflict, ImpossibleRecurrence, NoSuchList, NotFound, PreconditionFailed
from storage.optimistic import until_unchanged
from storage.plain_writes import Values, plain
from storage.series import Now
from storage.task_creation import first_step, names_of
from storage.task_updates import take_step
from storage.tasks import (
    WRITTEN,
    Task,
    columns,
    created,
    differs,
    followed,
    following,
    has_rows,
    is_accepted,
    locked,
    parameters_for,
    preferred_zone_of,
    task_in,
    updated,
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
    """
    old = locked()
    new, is_plain = plain(old, parameters_for(sorted(names)))
    # What is absent from the request is absent from a new task.
    return _statement(old, {name: new.get(name, null()) for name in WRITTEN}, new, is_plain, in_list=in_list)


@lru_cache(maxsize=8)
def _put_recurring(names: Sequence[str], *, in_list: bool, has_next: bool) -> Query:
    """Return the statement that creates a recurring task, or leaves the task that is there as it is."""
    return _statement(locked(), parameters_for(names), {}, false(), in_list=in_list, has_next=has_next)


def _statement(
    old: CTE,
    new_task: Values,
    new: Values,
    is_plain: ColumnElement[bool],
    *,
    in_list: bool,
    has_next: bool = False,
) -> Query:
    """Return the statement that creates a task, or replaces the one that is there if SQL may.

    If another transaction inserts the task while the statement waits for the account's lock, the statement does not see
    it, and its own insertion fails on the primary key. The pipeline then repeats the statement, which finds the task.
    """
    is_there, is_live = has_rows(old), old.c.deleted_at.is_(None)
    is_replaced = has_rows(old, is_live, is_accepted(old), is_plain, differs(old, new))
    is_allowed = [list_of_task.is_there] if in_list else []
    is_written = and_(or_(and_(_may_create, ~is_there), is_replaced), *is_allowed)
    stamp = accounts.bump_or_open_if(is_written, 1 + has_next)
    made = created(new_task, stamp, ~is_there).returning(*columns).cte("created")
    # Citus runs each CTE with a snapshot of its own, so this one sees what the one above has inserted.
    replaced = updated(new, stamp, is_there)
    refused = (~is_live, _text("deleted")), (~is_accepted(old), _text("refused")), (~is_plain, _text("left"))
    kept = case(*refused, else_=_text("unchanged"))
    query = union_all(
        select(*made.c, _text("created")),
        select(*replaced.c, _text("replaced")),
        select(*task_in(old), kept).where(~has_rows(replaced)),
    )
    return Query(query.add_cte(followed(made)) if has_next else query)


def _text(outcome: str) -> ColumnElement[str]:
    return literal_column(f"'{outcome}'", Text)


# What clients send that know neither times nor lists: with a date, and without one.
_put(frozenset(WRITTEN) - {"due_time", "time_zone", "due_at", "list_id", "parent_id", "position"}, in_list=False)
_put(frozenset({*WRITTEN, "recurrence"}) - {"list_id", "parent_id", "position"}, in_list=False)


async def put_task(
    connection: Connection,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    *,
    revisions: Sequence[int] | None,
    may_create: bool,
    keep_next: bool,
) -> Put:
    """Create the task, or replace its values. If no value differs, the task keeps its revision.

    `values` has a value for each name in CHANGEABLE. Time, zone, list, parent, position and recurrence may be absent: a
    task keeps its own. Only a new task may have a parent, which is not checked. A task that is there must have a
    revision in `revisions`; None allows any. `keep_next` is that of `update_task`. Raises PreconditionFailed if the
    task has another revision, or if it is absent or deleted and `may_create` is false. Raises Conflict if it is deleted
    and `may_create` is true, NoSuchList, ImpossibleRecurrence, RecurringSubtask, SeriesMovedOn, and HasRelatives if
    relatives change too, or decide on the list.
    """
    fixed = {"user_id": user_id, "id": task_id, "revisions": revisions, "may_create": may_create}
    row = await _put_if_plain(connection, values, fixed)
    task, outcome = _read(row, may_create=may_create)
    if outcome == "left":
        zone = await preferred_zone_of(connection, user_id)
        now = Now(datetime.now(UTC), zone)

        async def write(current: Task) -> Task:
            return await take_step(connection, current, series.of_task(current, values, now, keep_next=keep_next))

        try:
            task = await until_unchanged(task, revisions, write)
        except NotFound as error:
            raise Conflict("task") if may_create else PreconditionFailed("task", None) from error
    return Put(list_of_task.checked(task, values), outcome == "created")


async def _put_if_plain(connection: Connection, values: Mapping[str, Any], fixed: Mapping[str, Any]) -> Row | None:
    """Create the task, or replace it if SQL may, and return what `_put` does. Raises ImpossibleRecurrence."""
    try:
        query, new = await _prepared(connection, fixed["user_id"], values)
    except ImpossibleRecurrence:
        # A task that is there may have this rule already, or a slot from which the rule is possible.
        query, new = await _prepared_recurring(connection, fixed["user_id"], {**values, "recurrence": None})
        row = await query.fetch_one(connection, **{**fixed, "may_create": False}, **new)
        if row is None and fixed["may_create"]:
            raise
        return row
    return await query.fetch_one(connection, **fixed, **new)


async def _prepared(connection: Connection, user_id: str, values: Mapping[str, Any]) -> tuple[Query, Mapping[str, Any]]:
    """Return the statement for these values, and its parameters. Raises ImpossibleRecurrence."""
    if values.get("recurrence") is not None:
        return await _prepared_recurring(connection, user_id, values)
    new = series.settled(values)
    return _put(frozenset(new), in_list=values.get("list_id") is not None), new


async def _prepared_recurring(
    connection: Connection, user_id: str, values: Mapping[str, Any]
) -> tuple[Query, Mapping[str, Any]]:
    """Return the statement that leaves a task as it is, and its parameters. Raises ImpossibleRecurrence."""
    step = await first_step(connection, user_id, {"list_id": None, "parent_id": None, **values})
    in_list, has_next = values.get("list_id") is not None, step.following is not None
    query = _put_recurring(names_of(step), in_list=in_list, has_next=has_next)
    return query, {**step.values, **following(step.following)}


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
