"""Tasks: create or replace a task under an id that the caller chooses, in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Text, and_, bindparam, case, literal_column, or_, select, union_all

from storage import accounts
from storage.driver.query import Connection, Query
from storage.errors import Conflict, PreconditionFailed
from storage.tasks import (
    CHANGEABLE,
    Task,
    columns,
    created,
    differs,
    has_rows,
    is_accepted,
    locked,
    parameters_for,
    task_in,
    updated,
)


class Put(NamedTuple):
    """The task after a call, and whether the call created it."""

    task: Task
    is_new: bool


_may_create = bindparam("may_create", type_=Boolean)


def _put() -> Query:
    """Return the statement, which returns a task and what became of it, or no row if there is none to replace.

    If another transaction inserts the task while the statement waits for the account's lock, the statement does not see
    it, and its own insertion fails on the primary key. The pipeline then repeats the statement, which finds the task.
    """
    old, new = locked(), parameters_for(CHANGEABLE)
    is_there, is_live = has_rows(old), old.c.deleted_at.is_(None)
    is_replaced = has_rows(old, is_live, is_accepted(old), differs(old, new))
    stamp = accounts.bump_or_open_if(or_(and_(_may_create, ~is_there), is_replaced))
    made = created(new, stamp, ~is_there).returning(*columns).cte("created")
    # Citus runs each CTE with a snapshot of its own, so this one sees what the one above has inserted.
    replaced = updated(new, stamp, is_there)
    kept = case((~is_live, _text("deleted")), (is_accepted(old), _text("unchanged")), else_=_text("refused"))
    return Query(
        union_all(
            select(*made.c, _text("created")),
            select(*replaced.c, _text("replaced")),
            select(*task_in(old), kept).where(~has_rows(replaced)),
        )
    )


def _text(outcome: str) -> ColumnElement[str]:
    return literal_column(f"'{outcome}'", Text)


_PUT = _put()


async def put_task(
    connection: Connection,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    *,
    revisions: Sequence[int] | None,
    may_create: bool,
) -> Put:
    """Create the task, or replace all its values. If no value differs, the task keeps its revision.

    `values` has a value for each name in CHANGEABLE. A task that is there must have a revision in `revisions`; None
    allows any. Raises PreconditionFailed if it has another, or if it is absent or deleted and `may_create` is false.
    Raises Conflict if it is deleted and `may_create` is true.
    """
    parameters = {"user_id": user_id, "id": task_id, "revisions": revisions, "may_create": may_create, **values}
    row = await _PUT.fetch_one(connection, **parameters)
    if row is None:
        raise PreconditionFailed("task", None)
    *task, outcome = row
    if outcome == "deleted":
        raise Conflict("task") if may_create else PreconditionFailed("task", None)
    if outcome == "refused":
        raise PreconditionFailed("task", Task._make(task))
    return Put(Task._make(task), outcome == "created")
