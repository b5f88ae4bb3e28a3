"""Creates a task once for all requests with one idempotency key, in one statement.

A request with a new key writes the key in the statement that creates the task. If another one has committed the key
meanwhile, PostgreSQL reports a unique violation, and the pipeline runs the statement once more, which finds the key.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import LargeBinary, Uuid, and_, cast, exists, insert, literal_column, null, select, union_all
from uuid6 import uuid7

from storage import accounts, idempotency, list_of_task, task_creation, tasks
from storage.driver.query import Connection, Query
from storage.errors import Gone, KeyReused, NoSuchList
from storage.idempotency import Key
from storage.schema import idempotency_keys, is_live
from storage.schema import tasks as table


class Created(NamedTuple):
    """A task as it is now, and whether an earlier request with the same key created it."""

    task: tasks.Task
    is_replayed: bool


@lru_cache(maxsize=8)
def _create_once(names: Sequence[str], *, in_list: bool, has_next: bool) -> Query:
    """Return the statement that creates a task and keeps its id, or that finds the task of the key.

    It returns no row if the task is to be in a list that is not there. Otherwise, it returns the task, NULLs if
    it is deleted, and the fingerprint of the earlier request, or NULL for a new key.
    """
    seen = idempotency.found.cte("seen")
    is_new = ~exists(select(literal_column("1")).select_from(seen))
    may_create = and_(is_new, list_of_task.is_there) if in_list else is_new
    created = tasks.created(tasks.parameters_for(names), accounts.bump_or_open_if(may_create, 1 + has_next))
    made = created.returning(*tasks.columns).cte("made")
    row = idempotency.kept | {"created_at": made.c.created_at}
    new_key = insert(idempotency_keys).from_select(list(row), select(*row.values()).select_from(made))
    # Without RETURNING, Citus copies the row, and reports a unique violation as an internal error.
    kept = new_key.returning(idempotency_keys.c.key).cte("kept")
    seen_id = cast(seen.c.answer["id"].astext, Uuid)
    present = seen.outerjoin(table, and_(table.c.user_id == accounts.owner, table.c.id == seen_id, is_live))
    new = select(*made.c, cast(null(), LargeBinary))
    old = select(*tasks.columns, seen.c.fingerprint).select_from(present)
    query = union_all(new, old).add_cte(kept)
    return Query(query.add_cte(tasks.followed(made)) if has_next else query)


for _in_list in (False, True):
    _create_once(tasks.WRITTEN, in_list=_in_list, has_next=False)


async def create_task(connection: Connection, user_id: str, values: Mapping[str, Any], key: Key) -> Created:
    """Store a new task, or return the one that the earlier request with this key created.

    `values` has what `task_creation.create_task` takes. Raises what that raises, KeyReused if the key belongs to
    another request, and Gone if the task has been deleted since.
    """
    new_id = uuid7()
    parameters = {"user_id": user_id, "id": new_id, "answer": json.dumps({"id": str(new_id)}), **key._asdict()}
    step = await task_creation.first_step(connection, user_id, values)
    in_list, has_next = values["list_id"] is not None, step.following is not None
    query = _create_once(task_creation.names_of(step), in_list=in_list, has_next=has_next)
    row = await query.fetch_one(connection, **parameters, **step.values, **tasks.following(step.following))
    if row is None:
        raise NoSuchList
    *task, fingerprint = row
    if fingerprint is None:
        return Created(tasks.Task._make(task), is_replayed=False)
    if fingerprint != key.fingerprint:
        raise KeyReused
    if task[0] is None:
        raise Gone("task")
    return Created(tasks.Task._make(task), is_replayed=True)
