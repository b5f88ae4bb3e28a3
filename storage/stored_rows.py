"""Rows of tasks, read and written as they are, however many there are."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Uuid, any_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSON, insert

from storage import accounts
from storage.driver.query import Query, Row
from storage.driver.transaction import Call, Transaction
from storage.schema import tasks
from storage.task_rows import StoredTask
from storage.tasks import Task, columns

_written = [*columns, tasks.c.deleted_at, tasks.c.deletion_id, tasks.c.erased_at]
_ids = bindparam("ids", type_=ARRAY(Uuid))
_FIND = Query(select(*_written).where(tasks.c.user_id == accounts.owner, tasks.c.id == any_(_ids)))


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


def by_id(rows: Iterable[Row]) -> dict[UUID, StoredTask]:
    """Return what `find` has found."""
    return {stored.task.id: stored for stored in map(_stored, rows)}


async def read(transaction: Transaction, user_id: str, ids: Sequence[UUID]) -> dict[UUID, StoredTask]:
    """Return the user's rows with these ids. Without ids, nothing is sent."""
    return by_id((await transaction.run(find(user_id, ids)))[0]) if ids else {}


def write(user_id: str, rows: Iterable[StoredTask]) -> Call:
    """Return the statement that writes these rows, as they are."""
    return _WRITE, {"user_id": user_id, "rows": orjson.dumps([_record(stored) for stored in rows]).decode()}


def _record(stored: StoredTask) -> dict[str, Any]:
    return stored.task._asdict() | {name: value for name, value in stored._asdict().items() if name != "task"}


def _stored(row: Row) -> StoredTask:
    return StoredTask(Task._make(row[: len(Task._fields)]), *row[len(Task._fields) :])
