"""What a batch does to each task: pure functions of the task as it is, and of the operation."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

from uuid6 import uuid7

from storage import due, positions
from storage.errors import Conflict, NoDueDate, NoSuchList, NotFound, PreconditionFailed
from storage.tasks import CHANGEABLE, Task

Failure = NotFound | Conflict | PreconditionFailed | NoDueDate | NoSuchList


class Operation(NamedTuple):
    """A write of one task. A `create` without an id gets a new one.

    `values` has a value for each name in CHANGEABLE, of which time, zone, list and position may be absent. For an
    `update`, it has some of them, and `base` the values of the same names as the caller knows them. `revision` is the
    one that the task must have. None requires nothing.
    """

    op: Literal["create", "replace", "update", "delete", "restore"]
    id: UUID | None
    values: Mapping[str, Any]
    base: Mapping[str, Any] | None = None
    revision: int | None = None


class StoredTask(NamedTuple):
    """A task, deleted or not."""

    task: Task
    deleted_at: datetime | None = None
    deletion_id: UUID | None = None
    erased_at: datetime | None = None

    @property
    def current(self) -> Task | None:
        """The task as callers see it: None if it is deleted."""
        return self.task if self.deleted_at is None else None


class Stamp(NamedTuple):
    """What a write puts on a row: the next revision, the time, and the id of the deletion.

    `lists` are those that there are, and `new_position` makes the position of a new task from its revision.
    """

    user_id: str
    revision: int
    at: datetime
    deletion_id: UUID
    lists: Collection[UUID]
    new_position: Callable[[int], str]


class Outcome(NamedTuple):
    """What became of an operation. `error` says why it failed.

    `task` is the task after a write, even one that changed nothing. `id` is None if none was given and none was chosen.
    """

    kind: Literal["created", "written", "deleted", "failed", "not_run"]
    id: UUID | None
    task: Task | None = None
    error: Failure | None = None


class Plan(NamedTuple):
    """The outcomes of a batch, the rows that it changes, and the user's revision after it."""

    outcomes: Sequence[Outcome]
    changed: Sequence[StoredTask]
    revision: int

    def has_failures(self) -> bool:
        """Return whether an operation fails."""
        return any(outcome.error for outcome in self.outcomes)


def plan(
    operations: Iterable[Operation],
    found: Mapping[UUID, StoredTask],
    lists: Collection[UUID],
    new_position: Callable[[int], str],
    user_id: str,
    revision: int,
    at: datetime,
) -> Plan:
    """Decide what each operation does. No two may have the same id.

    `found` are the rows that are there, by their ids. `lists` are the ids of the user's lists, if an operation
    `needs_lists`. `new_position` makes the position of a new task from its revision. `revision` is the user's, and `at`
    the time of the batch.
    """
    outcomes, changed = [], []
    stamp = Stamp(user_id, revision + 1, at, uuid4(), lists, new_position)
    for operation in operations:
        row = found.get(operation.id) if operation.id else None
        try:
            new = _DECISIONS[operation.op](row, operation, stamp)
        except (NotFound, Conflict, PreconditionFailed, NoDueDate, NoSuchList) as error:
            outcomes.append(Outcome("failed", operation.id, error=error))
            continue
        if new is not row:
            changed.append(new)
            stamp = stamp._replace(revision=stamp.revision + 1)
        outcomes.append(_success(row, new))
    return Plan(outcomes, changed, stamp.revision - 1)


def needs_lists(operation: Operation) -> bool:
    """Return whether what an operation does depends on which lists there are."""
    return operation.op == "restore" or operation.values.get("list_id") is not None


def failures(plan: Plan, operations: Sequence[Operation]) -> list[Outcome]:
    """Return the outcomes if nothing of a plan is carried out, because a part of it fails."""
    pairs = zip(plan.outcomes, operations, strict=True)
    return [outcome if outcome.error else Outcome("not_run", operation.id) for outcome, operation in pairs]


def _success(old: StoredTask | None, new: StoredTask) -> Outcome:
    if new.current is None:
        return Outcome("deleted", new.task.id)
    return Outcome("created" if old is None else "written", new.task.id, new.task)


def _create(row: StoredTask | None, operation: Operation, stamp: Stamp) -> StoredTask:
    if row is not None:
        raise Conflict("task", row.current)
    return _new(operation, stamp)


def _replace(row: StoredTask | None, operation: Operation, stamp: Stamp) -> StoredTask:
    current = row.current if row else None
    if operation.revision is not None and (current is None or current.revision != operation.revision):
        raise PreconditionFailed("task", current)
    if row is None:
        return _new(operation, stamp)
    if current is None:
        raise Conflict("task")
    return _with_values(row, operation.values, stamp)


def _update(row: StoredTask | None, operation: Operation, stamp: Stamp) -> StoredTask:
    row = _accepted(row, operation)
    if members := _unexpected(row.task, operation):
        raise Conflict("task", row.task, members)
    return _with_values(row, operation.values, stamp)


def _delete(row: StoredTask | None, operation: Operation, stamp: Stamp) -> StoredTask:
    task = _touched(_accepted(row, operation).task, stamp)
    return StoredTask(task, deleted_at=task.updated_at, deletion_id=stamp.deletion_id)


def _restore(row: StoredTask | None, _: Operation, stamp: Stamp) -> StoredTask:
    if row is None or row.erased_at is not None:
        raise NotFound("task")
    if row.current:
        return row
    restored = _touched(row.task, stamp)
    if row.task.list_id is not None and row.task.list_id not in stamp.lists:
        restored = restored._replace(list_id=None, position=positions.first(stamp.revision))
    return StoredTask(restored)


_DECISIONS: dict[str, Callable[[StoredTask | None, Operation, Stamp], StoredTask]] = {
    "create": _create,
    "replace": _replace,
    "update": _update,
    "delete": _delete,
    "restore": _restore,
}


def _accepted(row: StoredTask | None, operation: Operation) -> StoredTask:
    """Return the row if it is a task that has the required revision. Raises NotFound and PreconditionFailed."""
    if row is None or row.current is None:
        raise NotFound("task")
    if operation.revision not in (None, row.task.revision):
        raise PreconditionFailed("task", row.task)
    return row


def _unexpected(task: Task, operation: Operation) -> list[str]:
    """Return the names whose values are neither those that the caller knows nor those that it wants."""
    if operation.base is None:
        return []
    known = operation.base
    names = [name for name in CHANGEABLE if name in operation.values]
    return [name for name in names if getattr(task, name) not in (known[name], operation.values[name])]


def _new(operation: Operation, stamp: Stamp) -> StoredTask:
    _check_list(operation.values, stamp)
    absent = {"list_id": None, "position": stamp.new_position(stamp.revision)}
    values = due.of_new_task({**absent, **operation.values})
    return StoredTask(
        Task(
            id=operation.id or _new_id(),
            user_id=stamp.user_id,
            **values,
            completed_at=stamp.at if values["completed"] else None,
            created_at=stamp.at,
            updated_at=stamp.at,
            revision=stamp.revision,
        )
    )


def _with_values(row: StoredTask, values: Mapping[str, Any], stamp: Stamp) -> StoredTask:
    """Return the row with these values, or the same row if it has them already. Raises NoDueDate and NoSuchList."""
    _check_list(values, stamp)
    values = due.of_task(row.task, values)
    if all(getattr(row.task, name) == value for name, value in values.items()):
        return row
    task = _touched(row.task, stamp)._replace(**values)
    return StoredTask(task._replace(completed_at=(task.completed_at or task.updated_at) if task.completed else None))


def _check_list(values: Mapping[str, Any], stamp: Stamp) -> None:
    """Raise NoSuchList if a task would be in a list that is not there."""
    if values.get("list_id") is not None and values["list_id"] not in stamp.lists:
        raise NoSuchList


def _touched(task: Task, stamp: Stamp) -> Task:
    """Return the task with the stamp of a write. Its time never goes back, even if the database's clock does."""
    return task._replace(revision=stamp.revision, updated_at=max(stamp.at, task.updated_at))


def _new_id() -> UUID:
    # The library's own subclass cannot be written as JSON.
    return UUID(int=uuid7().int)
