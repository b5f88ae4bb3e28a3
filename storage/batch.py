"""Batches: many writes of a user's tasks in one transaction, in two round trips, however many there are."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from storage import accounts, idempotency, list_of_task, new_positions, positions, relatives, stored_rows
from storage.batch_answers import answer_of, ids_in, outcomes_of
from storage.batch_plan import Operation, Outcome, failures, needs_family, needs_lists, plan
from storage.driver.database import Database
from storage.driver.transaction import Call, Transaction
from storage.idempotency import Key
from storage.rows import Rows, Stamp
from storage.set_changes import send
from storage.tasks import ZONE


class Batch(NamedTuple):
    """What became of a batch. `revision` is the user's after it, or after the first request with the same key."""

    revision: int
    outcomes: Sequence[Outcome]
    is_written: bool
    is_replayed: bool = False


async def run_batch(
    database: Database, user_id: str, operations: Sequence[Operation], *, is_atomic: bool, key: Key | None
) -> Batch:
    """Carry out the operations, no two of which may have the same id.

    If one fails, an atomic batch writes nothing. Each change takes a revision, in the order of the operations. Raises
    KeyReused, and what `Database.in_transaction` raises.
    """

    async def work(transaction: Transaction) -> Batch:
        stamp, kept, rows = await _lock_and_find(transaction, user_id, operations, key)
        if kept is not None:
            return await _replay(transaction, user_id, kept)
        rows.add((await _relatives(transaction, user_id, operations, rows)).values())
        planned = plan(operations, rows, stamp)
        if is_atomic and planned.has_failures():
            return Batch(stamp.revision - 1, failures(planned, operations, rows), is_written=False)
        # With a key also if nothing has changed: a new account is at the revision of its first write.
        last = [accounts.set_revision(user_id, planned.revision)] if planned.changed or key else []
        if key:
            last.append(idempotency.keep(user_id, key, answer_of(planned), stamp.at))
        await send(transaction, stored_rows.writes(user_id, planned.changed), last)
        return Batch(planned.revision, planned.outcomes, is_written=True)

    return await database.in_transaction(user_id, work)


async def _lock_and_find(
    transaction: Transaction, user_id: str, operations: Sequence[Operation], key: Key | None
) -> tuple[Stamp, dict[str, Any] | None, Rows]:
    """Lock the account. Return the stamp of the first write, the kept answer if there is one, and the tasks by id."""
    owner = {"user_id": user_id}
    ids = [operation.id for operation in operations if operation.id is not None]
    kept = [idempotency.find(user_id, key)] if key else []
    lists_of_user: list[Call] = [(list_of_task.IDS, owner)] if any(map(needs_lists, operations)) else []
    found = [(ZONE, owner), (new_positions.PREFERS_FIRST, owner), stored_rows.find(user_id, ids), *kept, *lists_of_user]
    opened, ((revision, at),), ((zone,),), ((is_first,),), rows, *rest = await transaction.run(
        (accounts.OPEN, owner), (accounts.LOCK, owner), *found
    )
    answer = idempotency.answer_of(rest.pop(0), key) if key else None
    there = frozenset(list_id for (list_id,) in rest[0]) if rest else frozenset[UUID]()
    new_position = positions.first if is_first else positions.last
    stamp = Stamp(user_id, revision - len(opened) + 1, at, zone, there, new_position)
    return stamp, answer, stored_rows.by_id(rows)


async def _relatives(transaction: Transaction, user_id: str, operations: Iterable[Operation], rows: Rows) -> Rows:
    """Return what the operations depend on besides the tasks that they name. For plain tasks, nothing is sent."""
    ids, parents = list[UUID](), list[UUID]()
    for one in operations:
        row = rows.get(one.id) if one.id else None
        if row and one.values.get("completed") is False and row.task.next_task_id:
            ids.append(row.task.next_task_id)
        if row and (row.is_parent or row.task.parent_id) and needs_family(one):
            ids.append(row.task.id)
        if parent_id := one.values.get("parent_id"):
            parents.append(parent_id)
            ids += [row.task.id] if row else []
    return await relatives.read(transaction, user_id, ids, parents)


async def _replay(transaction: Transaction, user_id: str, kept: dict[str, Any]) -> Batch:
    """Return a kept answer, with the tasks as they are now."""
    (found,) = await transaction.commit(stored_rows.find(user_id, ids_in(kept)))
    current = {task_id: stored.current for task_id, stored in stored_rows.by_id(found).items()}
    return Batch(kept["revision"], outcomes_of(kept, current), is_written=True, is_replayed=True)
