"""Batches: many writes of a user's tasks in one transaction, in two round trips, however many there are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from storage import accounts, idempotency, new_positions, positions, stored_rows
from storage.batch_answers import answer_of, ids_in, outcomes_of
from storage.batch_plan import Operation, Outcome, failures, needs_lists, plan
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Call, Transaction
from storage.idempotency import Key
from storage.schema import is_live_list, lists
from storage.task_rows import Stamp, StoredTask
from storage.tasks import ZONE


class Batch(NamedTuple):
    """What became of a batch. `revision` is the user's after it, or after the first request with the same key."""

    revision: int
    outcomes: Sequence[Outcome]
    is_written: bool
    is_replayed: bool = False


_LISTS = Query(select(lists.c.id).where(lists.c.user_id == accounts.owner, is_live_list))


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
        rows |= await stored_rows.read(transaction, user_id, _next_ids(operations, rows))
        planned = plan(operations, rows, stamp)
        if is_atomic and planned.has_failures():
            return Batch(stamp.revision - 1, failures(planned, operations), is_written=False)
        writes = [stored_rows.write(user_id, planned.changed)] if planned.changed else []
        if key is not None:
            writes.append(idempotency.keep(user_id, key, answer_of(planned), stamp.at))
        if writes:
            await transaction.commit(accounts.set_revision(user_id, planned.revision), *writes)
        return Batch(planned.revision, planned.outcomes, is_written=True)

    return await database.in_transaction(user_id, work)


async def _lock_and_find(
    transaction: Transaction, user_id: str, operations: Sequence[Operation], key: Key | None
) -> tuple[Stamp, dict[str, Any] | None, dict[UUID, StoredTask]]:
    """Lock the account. Return the stamp of the first write, the kept answer if there is one, and the tasks by id."""
    owner = {"user_id": user_id}
    ids = [operation.id for operation in operations if operation.id is not None]
    kept = [idempotency.find(user_id, key)] if key else []
    lists_of_user: list[Call] = [(_LISTS, owner)] if any(map(needs_lists, operations)) else []
    found = [(ZONE, owner), (new_positions.PREFERS_FIRST, owner), stored_rows.find(user_id, ids), *kept, *lists_of_user]
    opened, ((revision, at),), ((zone,),), ((is_first,),), rows, *rest = await transaction.run(
        (accounts.OPEN, owner), (accounts.LOCK, owner), *found
    )
    answer = idempotency.answer_of(rest.pop(0), key) if key else None
    there = frozenset(list_id for (list_id,) in rest[0]) if rest else frozenset[UUID]()
    new_position = positions.first if is_first else positions.last
    stamp = Stamp(user_id, revision - len(opened) + 1, at, zone, there, new_position)
    return stamp, answer, stored_rows.by_id(rows)


def _next_ids(operations: Iterable[Operation], rows: Mapping[UUID, StoredTask]) -> list[UUID]:
    """Return the ids of the next occurrences that the operations may remove."""
    reopened = [one.id for one in operations if one.id and one.values.get("completed") is False]
    return [next_id for one in reopened if one in rows and (next_id := rows[one].task.next_task_id)]


async def _replay(transaction: Transaction, user_id: str, kept: dict[str, Any]) -> Batch:
    """Return a kept answer, with the tasks as they are now."""
    (found,) = await transaction.commit(stored_rows.find(user_id, ids_in(kept)))
    current = {task_id: stored.current for task_id, stored in stored_rows.by_id(found).items()}
    return Batch(kept["revision"], outcomes_of(kept, current), is_written=True, is_replayed=True)
