"""Batches: many writes of a user's tasks in one transaction, in two round trips, however many there are."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Uuid, any_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSON, insert

from storage import accounts, idempotency, new_positions, positions, relatives
from storage.batch_answers import answer_of, ids_in, outcomes_of
from storage.batch_plan import Operation, Outcome, Plan, StoredTask, failures, needs_family, needs_lists, plan
from storage.driver.database import Database
from storage.driver.query import Query, Row
from storage.driver.transaction import Call, Transaction
from storage.idempotency import Key
from storage.schema import is_live_list, lists, tasks
from storage.tasks import Task, columns


class Batch(NamedTuple):
    """What became of a batch. `revision` is the user's after it, or after the first request with the same key."""

    revision: int
    outcomes: Sequence[Outcome]
    is_written: bool
    is_replayed: bool = False


_written = [*columns, tasks.c.deleted_at, tasks.c.deletion_id]
_ids = bindparam("ids", type_=ARRAY(Uuid))
_LISTS = Query(select(lists.c.id).where(lists.c.user_id == accounts.owner, is_live_list))
_FIND = Query(select(*_written, tasks.c.erased_at).where(tasks.c.user_id == accounts.owner, tasks.c.id == any_(_ids)))


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


async def run_batch(
    database: Database, user_id: str, operations: Sequence[Operation], *, is_atomic: bool, key: Key | None
) -> Batch:
    """Carry out the operations, no two of which may have the same id.

    If one fails, an atomic batch writes nothing. Each change takes a revision, in the order of the operations. Raises
    KeyReused, and what `Database.in_transaction` raises.
    """

    async def work(transaction: Transaction) -> Batch:
        turn = await _lock_and_find(transaction, user_id, operations, key)
        if turn.answer is not None:
            return await _replay(transaction, user_id, turn.answer)
        planned = plan(operations, turn.found, turn.lists, turn.new_position, user_id, turn.revision, turn.at)
        if is_atomic and planned.has_failures():
            return Batch(turn.revision, failures(planned, operations), is_written=False)
        writes = _writes(user_id, planned)
        if key is not None:
            writes.append(idempotency.keep(user_id, key, answer_of(planned), turn.at))
        if writes:
            await transaction.commit(accounts.set_revision(user_id, planned.revision), *writes)
        return Batch(planned.revision, planned.outcomes, is_written=True)

    return await database.in_transaction(user_id, work)


class _Turn(NamedTuple):
    """What a batch finds once it has the account's lock: the tasks by id, the lists if it needs them, a kept answer."""

    revision: int
    at: datetime
    found: dict[UUID, StoredTask]
    lists: frozenset[UUID]
    new_position: Callable[[int], str]
    answer: dict[str, Any] | None


async def _lock_and_find(
    transaction: Transaction, user_id: str, operations: Sequence[Operation], key: Key | None
) -> _Turn:
    """Lock the account, then find what the operations depend on, in one round trip."""
    owner = {"user_id": user_id}
    ids = [operation.id for operation in operations if operation.id is not None]
    kept = [idempotency.find(user_id, key)] if key else []
    lists_of_user: list[Call] = [(_LISTS, owner)] if any(map(needs_lists, operations)) else []
    parents = [operation.values["parent_id"] for operation in operations if operation.values.get("parent_id")]
    find = relatives.find(user_id, ids, parents) if any(map(needs_family, operations)) else _find(user_id, ids)
    first = [(accounts.OPEN, owner), (accounts.LOCK, owner), (new_positions.PREFERS_FIRST, owner)]
    opened, ((revision, at),), ((is_first,),), found, *rest = await transaction.run(*first, find, *kept, *lists_of_user)
    answer = idempotency.answer_of(rest.pop(0), key) if key else None
    there = frozenset(list_id for (list_id,) in rest[0]) if rest else frozenset[UUID]()
    by_id = {row.task.id: row for row in map(_stored, found)}
    new_position = positions.first if is_first else positions.last
    return _Turn(revision - len(opened), at, by_id, there, new_position, answer)


def _find(user_id: str, ids: Sequence[UUID]) -> Call:
    return _FIND, {"user_id": user_id, "ids": ids}


def _stored(row: Row) -> StoredTask:
    return StoredTask(Task._make(row[: len(Task._fields)]), *row[len(Task._fields) :])


async def _replay(transaction: Transaction, user_id: str, kept: dict[str, Any]) -> Batch:
    """Return a kept answer, with the tasks as they are now."""
    (found,) = await transaction.commit(_find(user_id, ids_in(kept)))
    current = {stored.task.id: stored.current for stored in map(_stored, found)}
    return Batch(kept["revision"], outcomes_of(kept, current), is_written=True, is_replayed=True)


def _writes(user_id: str, planned: Plan) -> list[Call]:
    if not planned.changed:
        return []
    rows = orjson.dumps([_record(stored) for stored in planned.changed]).decode()
    parents = {one.task.parent_id for one in planned.changed if one.task.parent_id}
    marks = [relatives.mark(user_id, sorted(parents))] if parents else []
    return [(_WRITE, {"user_id": user_id, "rows": rows}), *marks]


def _record(stored: StoredTask) -> dict[str, Any]:
    return stored.task._asdict() | {"deleted_at": stored.deleted_at, "deletion_id": stored.deletion_id}
