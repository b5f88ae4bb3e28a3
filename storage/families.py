"""Writes of single tasks with subtasks or a parent, which are transactions. All others are left to single statements.

A transaction locks the account, reads the relatives, and writes the rows that Python decides. Each of these gets a
revision of its own, the task the first one.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import true

from storage import (
    accounts,
    idempotency,
    keyed_creation,
    relatives,
    stored_rows,
    task_creation,
    task_rows,
    task_updates,
    tasks,
)
from storage.driver.database import Database
from storage.driver.query import Connection
from storage.driver.transaction import Transaction
from storage.errors import HasRelatives, NotFound, OpenSubtasks, PreconditionFailed
from storage.family import descendants, placed
from storage.idempotency import Key
from storage.keyed_creation import Created
from storage.relatives import Turn, Within
from storage.rows import Written
from storage.set_changes import portions, send
from storage.set_statements import DELETED, statements
from storage.task_replacement import Put
from storage.task_replacement import put_task as put_alone
from storage.tasks import Task

Subtasks = Literal["keep", "complete", "refuse"]
"""What becomes of the open subtasks of a task that is completed."""

_DELETE = statements([], DELETED, true()).write


async def create_task(database: Database, user_id: str, values: Mapping[str, Any], key: Key | None) -> Created:
    """Store a new task, or return the one that an earlier request with this key created.

    `values` has what `task_creation.create_task` takes. Without a list, a subtask is in that of its parent. Raises
    KeyReused, Gone, NoSuchList, ImpossibleRecurrence, RecurringSubtask, NoSuchParent, TooDeep and ListOfParent.
    """
    parent_id = values["parent_id"]
    if parent_id is None:
        return await _create(database.pipeline, user_id, values, key)

    async def work(transaction: Transaction) -> Created:
        kept = [idempotency.find(user_id, key)] if key else []
        turn, found = await relatives.begin(transaction, user_id, [], [parent_id], *kept)
        is_repeated = any(found)
        new = {"list_id": None, **values} if is_repeated else placed(turn.rows, None, values)
        made = await _create(Within(transaction), user_id, new, key)
        await transaction.commit(*([] if is_repeated else [stored_rows.mark(user_id, [parent_id])]))
        return made

    return await database.in_transaction(user_id, work)


async def _create(connection: Connection, user_id: str, values: Mapping[str, Any], key: Key | None) -> Created:
    if key is None:
        return Created(await task_creation.create_task(connection, user_id, values), is_replayed=False)
    return await keyed_creation.create_task(connection, user_id, values, key)


async def put_task(
    database: Database,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    *,
    revisions: Sequence[int] | None,
    may_create: bool,
    keep_next: bool,
    subtasks: Subtasks,
) -> Put:
    """Create the task, or replace its values. If no value differs, the task keeps its revision.

    The arguments are those of `task_replacement.put_task`, and `subtasks` says what becomes of the open subtasks of a
    task that this completes. Without a parent, the task keeps its own. Raises what `task_replacement.put_task` and
    `update_task` raise, except for NotFound and HasRelatives.
    """
    fixed: dict[str, Any] = {"revisions": revisions, "may_create": may_create, "keep_next": keep_next}
    if not _concern_family(values, subtasks):
        with suppress(HasRelatives):
            return await put_alone(database.pipeline, user_id, task_id, values, **fixed)

    async def work(transaction: Transaction) -> Put:
        turn = await _begin(transaction, user_id, task_id, values)
        if turn.rows.live(task_id) is not None:
            task = await _change(transaction, turn, task_id, values, revisions, subtasks, keep_next=keep_next)
            return Put(task, is_new=False)
        # What is there is deleted, or nothing may be created: then the write of a plain task reports it.
        is_new = may_create and task_id not in turn.rows
        new = placed(turn.rows, task_id, values) if is_new else values
        put = await put_alone(Within(transaction), user_id, task_id, new, **fixed)
        await transaction.commit(stored_rows.mark(user_id, _parents(values)))
        return put

    return await database.in_transaction(user_id, work)


async def update_task(
    database: Database,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    revisions: Sequence[int] | None,
    *,
    keep_next: bool,
    subtasks: Subtasks,
) -> Task:
    """Update the task and return it. If no value differs, the task keeps its revision.

    The arguments are those of `task_updates.update_task`, and `subtasks` says what becomes of the open subtasks of a
    task that this completes. The subtasks of a task that is moved to another list follow it. Those of an occurrence are
    copied for the next one, and removed with that. Raises what `task_updates.update_task` raises, except for
    HasRelatives, and NoSuchParent, ParentCycle, TooDeep, ListOfParent and OpenSubtasks.
    """
    if not _concern_family(values, subtasks):
        with suppress(HasRelatives):
            alone = task_updates.update_task
            return await alone(database.pipeline, user_id, task_id, values, revisions, keep_next=keep_next)

    async def work(transaction: Transaction) -> Task:
        turn = await _begin(transaction, user_id, task_id, values)
        return await _change(transaction, turn, task_id, values, revisions, subtasks, keep_next=keep_next)

    return await database.in_transaction(user_id, work)


async def skip_occurrence(database: Database, user_id: str, task_id: UUID, revisions: Sequence[int] | None) -> Task:
    """Move the task to its next occurrence, and return it. Its subtasks become open, and due as many days later.

    `revisions` is that of `update_task`. Raises NotFound, PreconditionFailed and NoNextOccurrence.
    """

    async def work(transaction: Transaction) -> Task:
        turn, _ = await relatives.begin(transaction, user_id, [task_id], [])
        _accepted(turn, task_id, revisions)
        return await _save(transaction, turn, task_rows.skipped(turn.rows[task_id], turn.rows, turn.stamp))

    with suppress(HasRelatives):
        return await task_updates.skip_occurrence(database.pipeline, user_id, task_id, revisions)
    return await database.in_transaction(user_id, work)


async def delete_task(database: Database, user_id: str, task_id: UUID, revisions: Sequence[int] | None) -> None:
    """Move the task and its subtasks to the trash, under one `deletion_id`.

    `revisions` is that of `update_task`. Raises NotFound and PreconditionFailed.
    """

    async def work(transaction: Transaction) -> None:
        turn, _ = await relatives.begin(transaction, user_id, [task_id], [])
        _accepted(turn, task_id, revisions)
        ids = [task_id, *(one.id for one in descendants(turn.rows, task_id))]
        parameters = {"user_id": user_id, "deletion_id": uuid4()}
        calls = [*portions(_DELETE, ids, parameters, turn.revision, turn.stamp.at)]
        await send(transaction, calls, [accounts.set_revision(user_id, turn.revision + len(ids))])

    try:
        await tasks.delete_task(database.pipeline, user_id, task_id, revisions)
    except HasRelatives:
        await database.in_transaction(user_id, work)


def _parents(values: Mapping[str, Any]) -> list[UUID]:
    return [values["parent_id"]] if values.get("parent_id") else []


def _concern_family(values: Mapping[str, Any], subtasks: Subtasks) -> bool:
    """Return whether a write of these values needs to know the relatives of any task."""
    return bool(_parents(values)) or (subtasks != "keep" and bool(values.get("completed")))


async def _begin(transaction: Transaction, user_id: str, task_id: UUID, values: Mapping[str, Any]) -> Turn:
    """Find a task, and what a write of these values may change or depends on."""
    turn, _ = await relatives.begin(transaction, user_id, [task_id], _parents(values))
    task = turn.rows.live(task_id)
    if task and task.next_task_id and values.get("completed") is False:
        turn.rows.add((await relatives.read(transaction, user_id, [task.next_task_id])).values())
    return turn


def _accepted(turn: Turn, task_id: UUID, revisions: Sequence[int] | None) -> Task:
    """Return the task. Raises NotFound, and PreconditionFailed if it has none of these revisions; None allows any."""
    task = turn.rows.live(task_id)
    if task is None:
        raise NotFound("task")
    if revisions is not None and task.revision not in revisions:
        raise PreconditionFailed("task", task)
    return task


async def _change(
    transaction: Transaction,
    turn: Turn,
    task_id: UUID,
    values: Mapping[str, Any],
    revisions: Sequence[int] | None,
    subtasks: Subtasks,
    *,
    keep_next: bool,
) -> Task:
    """Give the task these values, with all that follows for others, and commit."""
    task, completes = _accepted(turn, task_id, revisions), bool(values.get("completed"))
    if subtasks == "refuse" and completes and not task.completed:
        _check_subtasks(turn, task_id)
    completes = completes and subtasks == "complete"
    row, rows, stamp = turn.rows[task_id], turn.rows, turn.stamp
    written = task_rows.changed(row, values, rows, stamp, keep_next=keep_next, completes=completes)
    return await _save(transaction, turn, written)


def _check_subtasks(turn: Turn, task_id: UUID) -> None:
    """Raise OpenSubtasks if the task has any."""
    number = sum(not one.completed for one in descendants(turn.rows, task_id))
    if number:
        raise OpenSubtasks(number)


async def _save(transaction: Transaction, turn: Turn, written: Written) -> Task:
    """Write the rows that are not as they were, and commit. Return the task, which is that of the first row."""
    task = written[0].task
    new = [row for row in written if row is not turn.rows.get(row.task.id)]
    if new:
        last = accounts.set_revision(task.user_id, turn.revision + len(new))
        await send(transaction, stored_rows.writes(task.user_id, new), [last])
    return task
