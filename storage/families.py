"""Writes of single tasks with subtasks or a parent, which are transactions. All others are left to single statements.

A transaction locks the account, reads the relatives, runs the same statement as for any task, and then changes what
follows from it for the subtasks. Each of these gets a revision of its own, after that of the task.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import true

from storage import accounts, idempotency, keyed_creation, relatives, task_replacement, tasks
from storage.driver.database import Database
from storage.driver.query import Connection
from storage.driver.transaction import Call, Transaction
from storage.errors import HasRelatives, NoSuchList, NotFound, OpenSubtasks, PreconditionFailed
from storage.family import descendants, placed
from storage.idempotency import Key
from storage.keyed_creation import Created
from storage.relatives import Turn, Within
from storage.set_changes import portions, send
from storage.set_statements import DELETED, statements
from storage.set_subtasks import FOLLOW
from storage.task_replacement import Put
from storage.tasks import Task

Subtasks = Literal["keep", "complete", "refuse"]
"""What becomes of the open subtasks of a task that is completed."""

_DELETE = statements([], DELETED, true()).write
_COMPLETE = statements([], {"completed": true()}, true()).write


class _Write(NamedTuple):
    """A plain write of a task: `run` takes a connection and the values."""

    run: Callable[[Connection, Mapping[str, Any]], Awaitable[Put]]
    revisions: Sequence[int] | None
    subtasks: Subtasks

    def accepts(self, task: Task | None) -> bool:
        """Return whether the caller accepts the task's revision, or there is no task."""
        return task is None or self.revisions is None or task.revision in self.revisions


async def create_task(database: Database, user_id: str, values: Mapping[str, Any], key: Key | None) -> Created:
    """Store a new task, or return the one that an earlier request with this key created.

    `values` has what `tasks.create_task` takes. Without a list, a subtask is in that of its parent. Raises KeyReused,
    Gone, NoSuchList, NoSuchParent, TooDeep and ListOfParent.
    """
    parent_id = values["parent_id"]
    if parent_id is None:
        return await _create(database.pipeline, user_id, values, key)

    async def work(transaction: Transaction) -> Created:
        kept = [idempotency.find(user_id, key)] if key else []
        turn, found = await relatives.begin(transaction, user_id, [], [parent_id], *kept)
        is_repeated = any(found)
        new = {"list_id": None, **values} if is_repeated else placed(turn.family, None, values)
        made = await _create(Within(transaction), user_id, new, key)
        await transaction.commit(*([] if is_repeated else [relatives.mark(user_id, [parent_id])]))
        return made

    return await database.in_transaction(user_id, work)


async def _create(connection: Connection, user_id: str, values: Mapping[str, Any], key: Key | None) -> Created:
    if key is None:
        return Created(await tasks.create_task(connection, user_id, values), is_replayed=False)
    return await keyed_creation.create_task(connection, user_id, values, key)


async def put_task(
    database: Database,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    *,
    revisions: Sequence[int] | None,
    may_create: bool,
    subtasks: Subtasks,
) -> Put:
    """Create the task, or replace its values. If no value differs, the task keeps its revision.

    The arguments are those of `task_replacement.put_task`, and `subtasks` says what becomes of the open subtasks of a
    task that this completes. Without a parent, the task keeps its own. Raises what `task_replacement.put_task` and
    `update_task` raise, except for NotFound.
    """

    async def put(connection: Connection, new: Mapping[str, Any]) -> Put:
        fixed: dict[str, Any] = {"revisions": revisions, "may_create": may_create}
        return await task_replacement.put_task(connection, user_id, task_id, new, **fixed)

    if not _concern_family(values, subtasks):
        with suppress(NoSuchList):
            return await put(database.pipeline, values)
    return await _in_family(database, user_id, task_id, values, _Write(put, revisions, subtasks))


async def update_task(
    database: Database,
    user_id: str,
    task_id: UUID,
    values: Mapping[str, Any],
    revisions: Sequence[int] | None,
    subtasks: Subtasks,
) -> Task:
    """Update the task and return it. If no value differs, the task keeps its revision.

    The arguments are those of `tasks.update_task`, and `subtasks` says what becomes of the open subtasks of a task that
    this completes. The subtasks of a task that is moved to another list follow it. Raises what `tasks.update_task`
    raises, NoSuchParent, ParentCycle, TooDeep, ListOfParent and OpenSubtasks.
    """

    async def update(connection: Connection, new: Mapping[str, Any]) -> Put:
        return Put(await tasks.update_task(connection, user_id, task_id, new, revisions), is_new=False)

    if not _concern_family(values, subtasks):
        # Otherwise the list may be there, and the task has relatives.
        with suppress(NoSuchList):
            return (await update(database.pipeline, values)).task
    return (await _in_family(database, user_id, task_id, values, _Write(update, revisions, subtasks))).task


async def delete_task(database: Database, user_id: str, task_id: UUID, revisions: Sequence[int] | None) -> None:
    """Move the task and its subtasks to the trash, under one `deletion_id`.

    `revisions` is that of `tasks.update_task`. Raises NotFound and PreconditionFailed.
    """

    async def work(transaction: Transaction) -> None:
        turn, _ = await relatives.begin(transaction, user_id, [task_id], [])
        family = turn.family
        if task_id not in family:
            raise NotFound("task")
        if revisions is not None and family[task_id].revision not in revisions:
            raise PreconditionFailed("task", family[task_id])
        ids = [task_id, *(one.id for one in descendants(family, task_id))]
        parameters = {"user_id": user_id, "deletion_id": uuid4()}
        calls = [*portions(_DELETE, ids, parameters, turn.revision, turn.at)]
        await send(transaction, calls, [accounts.set_revision(user_id, turn.revision + len(ids))])

    try:
        await tasks.delete_task(database.pipeline, user_id, task_id, revisions)
    except HasRelatives:
        await database.in_transaction(user_id, work)


def _concern_family(values: Mapping[str, Any], subtasks: Subtasks) -> bool:
    """Return whether a write of these values needs to know the relatives of any task.

    A task may lose its parent in a single statement.
    """
    is_placed = values.get("parent_id") is not None or {"parent_id", "list_id"} <= values.keys()
    return is_placed or (subtasks != "keep" and bool(values.get("completed")))


async def _in_family(database: Database, user_id: str, task_id: UUID, values: Mapping[str, Any], write: _Write) -> Put:
    """Write the task in a transaction that knows its relatives, and then its subtasks."""
    parents = [values["parent_id"]] if values.get("parent_id") else []

    async def work(transaction: Transaction) -> Put:
        turn, _ = await relatives.begin(transaction, user_id, [task_id], parents)
        family = turn.family
        # Where the revision is another one, the plain write reports it.
        new = placed(family, task_id, values) if write.accepts(family.get(task_id)) else values
        put = await write.run(Within(transaction), new)
        calls = await _calls_below(transaction, turn, put.task, write.subtasks if values.get("completed") else "keep")
        await _commit(transaction, [*calls, *([relatives.mark(user_id, parents)] if parents else [])])
        return put

    return await database.in_transaction(user_id, work)


async def _calls_below(transaction: Transaction, turn: Turn, task: Task, subtasks: Subtasks) -> list[Call]:
    """Return the statements that change the subtasks of a task that was just written. Raises OpenSubtasks."""
    below = descendants(turn.family, task.id)
    is_open = [one.id for one in below if not one.completed]
    if subtasks == "refuse" and is_open and not turn.family[task.id].completed:
        raise OpenSubtasks(len(is_open))
    strayed = [one.id for one in below if one.list_id != task.list_id]
    completed = is_open if subtasks == "complete" else []
    if not strayed and not completed:
        return []
    (((revision, at),),) = await transaction.run((accounts.LOCK, {"user_id": task.user_id}))
    moved = portions(FOLLOW, strayed, {"user_id": task.user_id, "new_list_id": task.list_id}, revision, at)
    last = revision + len(strayed) + len(completed)
    done = portions(_COMPLETE, completed, {"user_id": task.user_id}, revision + len(strayed), at)
    return [*moved, *done, accounts.set_revision(task.user_id, last)]


async def _commit(transaction: Transaction, calls: Sequence[Call]) -> None:
    """Execute the statements and commit. Each has a round trip, and its limit, of its own, except for the last two."""
    for call in calls[:-2]:
        await transaction.run(call)
    await transaction.commit(*calls[-2:])
