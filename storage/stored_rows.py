"""Rows of tasks, read and written as they are, however many there are."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Uuid, any_, bindparam, column, func, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY, JSON, insert

from storage import accounts
from storage.driver.query import Query, Row
from storage.driver.transaction import Call
from storage.rows import Rows, StoredTask
from storage.schema import tasks
from storage.tasks import Task, columns

# In one statement, many rows with long texts would take longer than a statement may.
_PORTION = 250
_written = [*columns, tasks.c.deleted_at, tasks.c.deletion_id, tasks.c.erased_at]
read_columns = [*_written, tasks.c.is_parent]
"""What `by_id` takes."""
_ids = bindparam("ids", type_=ARRAY(Uuid))
_FIND = Query(select(*read_columns).where(tasks.c.user_id == accounts.owner, tasks.c.id == any_(_ids)))
_MARK = Query(
    update(tasks)
    .where(tasks.c.user_id == accounts.owner, tasks.c.id == any_(_ids), ~tasks.c.is_parent)
    .values(is_parent=true())
)


def _write() -> Query:
    """Return the statement that creates, changes, deletes and restores tasks, all at once."""
    types = {one.name: one.type for one in _written if one.name != "user_id"}
    records = func.json_to_recordset(bindparam("rows", type_=JSON))
    rows = records.table_valued(*(column(name, kind) for name, kind in types.items()))
    row, names = rows.render_derived("row", with_types=True).c, list(types)
    new = insert(tasks).from_select(["user_id", *names], select(accounts.owner, *(row[name] for name in names)))
    changed = {name: new.excluded[name] for name in names if name not in ("id", "created_at")}
    return Query(new.on_conflict_do_update(index_elements=["user_id", "id"], set_=changed))


_WRITE = _write()


def find(user_id: str, ids: Sequence[UUID]) -> Call:
    """Return the statement that finds the user's rows with these ids, for `by_id`."""
    return _FIND, {"user_id": user_id, "ids": ids}


def by_id(rows: Iterable[Row]) -> Rows:
    """Return what `find` has found."""
    return Rows(map(_stored, rows))


def writes(user_id: str, rows: Sequence[StoredTask]) -> list[Call]:
    """Return the statements that write these rows, as they are, and note which tasks have subtasks."""
    portions = (rows[start : start + _PORTION] for start in range(0, len(rows), _PORTION))
    parents = sorted({row.task.parent_id for row in rows if row.task.parent_id})
    return [*(_portion(user_id, portion) for portion in portions), *([mark(user_id, parents)] if parents else [])]


def mark(user_id: str, parents: Sequence[UUID]) -> Call:
    """Return the statement that notes that tasks have subtasks.

    A single statement that waits for the account's lock sees this in the task's row, where it would miss a new subtask.
    """
    return _MARK, {"user_id": user_id, "ids": [*parents]}


def _portion(user_id: str, rows: Iterable[StoredTask]) -> Call:
    return _WRITE, {"user_id": user_id, "rows": orjson.dumps([_record(stored) for stored in rows]).decode()}


def _record(stored: StoredTask) -> dict[str, Any]:
    own = {"deleted_at": stored.deleted_at, "deletion_id": stored.deletion_id, "erased_at": stored.erased_at}
    return stored.task._asdict() | own


def _stored(row: Row) -> StoredTask:
    return StoredTask(Task._make(row[: len(Task._fields)]), *row[len(Task._fields) :])
