"""Creates a task once for all requests with one idempotency key, in one statement.

A request with a new key writes the key in the statement that creates the task. If another one has committed the key
meanwhile, PostgreSQL reports a unique violation, and the pipeline runs the statement once more, which finds the key.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import LargeBinary, Uuid, and_, cast, exists, insert, literal_column, null, select, union_all
from uuid6 import uuid7

from storage import accounts, due, idempotency, tasks
from storage.driver.query import Connection, Query
from storage.errors import Gone, KeyReused
from storage.idempotency import Key
from storage.schema import idempotency_keys, is_live
from storage.schema import tasks as table


class Created(NamedTuple):
    """A task as it is now, and whether an earlier request with the same key created it."""

    task: tasks.Task
    is_replayed: bool


def _create_once() -> Query:
    """Return the statement that creates a task and keeps its id, or that finds the task of the key.

    It returns the task, NULLs if it is deleted, and the fingerprint of the earlier request, or NULL for a new key.
    """
    seen = idempotency.found.cte("seen")
    is_new = ~exists(select(literal_column("1")).select_from(seen))
    created = tasks.created(tasks.parameters_for(tasks.WRITTEN), accounts.bump_or_open_if(is_new))
    made = created.returning(*tasks.columns).cte("made")
    row = idempotency.kept | {"created_at": made.c.created_at}
    new_key = insert(idempotency_keys).from_select(list(row), select(*row.values()).select_from(made))
    # Without RETURNING, Citus copies the row, and reports a unique violation as an internal error.
    kept = new_key.returning(idempotency_keys.c.key).cte("kept")
    seen_id = cast(seen.c.answer["id"].astext, Uuid)
    present = seen.outerjoin(table, and_(table.c.user_id == accounts.owner, table.c.id == seen_id, is_live))
    new = select(*made.c, cast(null(), LargeBinary))
    old = select(*tasks.columns, seen.c.fingerprint).select_from(present)
    return Query(union_all(new, old).add_cte(kept))


_CREATE_ONCE = _create_once()


async def create_task(connection: Connection, user_id: str, values: Mapping[str, Any], key: Key) -> Created:
    """Store a new task, or return the one that the earlier request with this key created.

    `values` has what `tasks.create_task` takes. Raises KeyReused if the key belongs to another request,
    and Gone if the task has been deleted since.
    """
    new_id = uuid7()
    parameters = {"user_id": user_id, "id": new_id, "answer": json.dumps({"id": str(new_id)}), **key._asdict()}
    row: Any = await _CREATE_ONCE.fetch_one(connection, **parameters, **due.of_new_task(values))
    *task, fingerprint = row
    if fingerprint is None:
        return Created(tasks.Task._make(task), is_replayed=False)
    if fingerprint != key.fingerprint:
        raise KeyReused
    if task[0] is None:
        raise Gone("task")
    return Created(tasks.Task._make(task), is_replayed=True)
