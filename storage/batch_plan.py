"""What a batch does to each task: pure functions of the task as it is, and of the operation."""

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

from uuid6 import uuid7

from storage import due, positions
from storage.errors import (
    Conflict,
    ListOfParent,
    NoDueDate,
    NoSuchList,
    NoSuchParent,
    NotFound,
    ParentCycle,
    PreconditionFailed,
    TooDeep,
)
from storage.family import Place, descendants, placed, resettled
from storage.tasks import CHANGEABLE, Task

FAILURES = (
    NotFound,
    Conflict,
    PreconditionFailed,
    NoDueDate,
    NoSuchList,
    NoSuchParent,
    ParentCycle,
    TooDeep,
    ListOfParent,
)
"""The errors that an operation may end with."""


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
    """What a write puts on a row: the next revision, the time, and the id of the deletion; and what it depends on.

    `lists` are those that there are, and `new_position` makes the position of a new task from its revision. `rows` are
    those after the operations so far, and `found` those before them.
    """

    user_id: str
    revision: int
    at: datetime
    deletion_id: UUID
    lists: Collection[UUID]
    new_position: Callable[[int], str]
    rows: "Rows"
    found: "Rows"

    def family(self) -> dict[UUID, Task]:
        """Return the tasks that are not deleted after the operations so far."""
        return {task_id: row.task for task_id, row in self.rows.items() if row.current}


Rows = Mapping[UUID, StoredTask]
Written = tuple[StoredTask, *tuple[StoredTask, ...]]
"""The task of an operation, and other rows that it writes."""


class Outcome(NamedTuple):
    """What became of an operation. `error` says why it failed.

    `task` is the task after a write, even one that changed nothing. `id` is None if none was given and none was chosen.
    """

    kind: Literal["created", "written", "deleted", "failed", "not_run"]
    id: UUID | None
    task: Task | None = None
    error: Exception | None = None


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
    changed: dict[UUID, StoredTask] = {}
    rows, outcomes = ChainMap(changed, dict(found)), []
    stamp = Stamp(user_id, revision + 1, at, uuid4(), lists, new_position, rows, found)
    for operation in operations:
        row = rows.get(operation.id) if operation.id else None
        try:
            new, *others = _DECISIONS[operation.op](row, operation, stamp)
        except FAILURES as error:
            outcomes.append(Outcome("failed", operation.id, error=error))
            continue
        if new is not row:
            changed |= {one.task.id: one for one in (new, *others)}
            stamp = stamp._replace(revision=stamp.revision + 1 + len(others))
        outcomes.append(_success(row, new))
    return Plan(outcomes, [*changed.values()], stamp.revision - 1)


def needs_lists(operation: Operation) -> bool:
    """Return whether what an operation does depends on which lists there are."""
    return operation.op == "restore" or operation.values.get("list_id") is not None


def needs_family(operation: Operation) -> bool:
    """Return whether what an operation does depends on the task's subtasks or its parent."""
    is_moved = operation.op != "create" and "list_id" in operation.values
    return is_moved or operation.op in ("delete", "restore") or operation.values.get("parent_id") is not None


def failures(plan: Plan, operations: Sequence[Operation]) -> list[Outcome]:
    """Return the outcomes if nothing of a plan is carried out, because a part of it fails."""
    pairs = zip(plan.outcomes, operations, strict=True)
    return [outcome if outcome.error else Outcome("not_run", operation.id) for outcome, operation in pairs]


def _success(old: StoredTask | None, new: StoredTask) -> Outcome:
    if new.current is None:
        return Outcome("deleted", new.task.id)
    return Outcome("created" if old is None else "written", new.task.id, new.task)


def _create(row: StoredTask | None, operation: Operation, stamp: Stamp) -> Written:
    if row is not None:
        raise Conflict("task", row.current)
    return _new(operation, stamp)


def _replace(row: StoredTask | None, operation: Operation, stamp: Stamp) -> Written:
    current = row.current if row else None
    if operation.revision is not None and (current is None or not _is_known(current, operation, stamp)):
        raise PreconditionFailed("task", current)
    if row is None:
        return _new(operation, stamp)
    if current is None:
        raise Conflict("task")
    return _with_values(row, operation.values, stamp)


def _update(row: StoredTask | None, operation: Operation, stamp: Stamp) -> Written:
    row = _accepted(row, operation, stamp)
    if members := _unexpected(row.task, operation):
        raise Conflict("task", row.task, members)
    return _with_values(row, operation.values, stamp)


def _delete(row: StoredTask | None, operation: Operation, stamp: Stamp) -> Written:
    if row is not None and row.deletion_id == stamp.deletion_id:
        # With its parent, by an operation of this batch.
        return (row,)
    task = _accepted(row, operation, stamp).task
    first, *below = _touched_all([task, *descendants(stamp.family(), task.id)], stamp)
    return _deleted(first, stamp), *(_deleted(one, stamp) for one in below)


def _deleted(task: Task, stamp: Stamp) -> StoredTask:
    return StoredTask(task, deleted_at=task.updated_at, deletion_id=stamp.deletion_id)


def _restore(row: StoredTask | None, _: Operation, stamp: Stamp) -> Written:
    if row is None or row.erased_at is not None:
        raise NotFound("task")
    if row.current:
        return (row,)
    gone = {
        task_id: one.task
        for task_id, one in stamp.rows.items()
        if one.erased_at is None and row.deletion_id is not None and one.deletion_id == row.deletion_id
    }
    found = _touched_all([row.task, *descendants(gone, row.task.id)], stamp)
    first, *below = _resettled([_in_list_that_is_there(one, stamp) for one in found], stamp)
    return first, *below


def _in_list_that_is_there(task: Task, stamp: Stamp) -> Task:
    if task.list_id is None or task.list_id in stamp.lists:
        return task
    return task._replace(list_id=None) if task.parent_id else _at_the_top(task)


def _at_the_top(task: Task) -> Task:
    """Return a task without list and parent, before all others."""
    return task._replace(list_id=None, parent_id=None, position=positions.first(task.revision))


def _resettled(restored: Sequence[Task], stamp: Stamp) -> list[StoredTask]:
    """Return restored tasks where they can be."""
    tasks = stamp.family() | {task.id: task for task in restored}
    places = {task.id: Place(task.id, task.parent_id, task.list_id, is_live=True) for task in tasks.values()}
    new = {place.id: place for place in resettled(places, {task.id for task in restored})}
    return [StoredTask(_moved(task, new[task.id]) if task.id in new else task) for task in restored]


def _moved(task: Task, place: Place) -> Task:
    return task._replace(list_id=place.list_id) if place.parent_id else _at_the_top(task)


_DECISIONS: dict[str, Callable[[StoredTask | None, Operation, Stamp], Written]] = {
    "create": _create,
    "replace": _replace,
    "update": _update,
    "delete": _delete,
    "restore": _restore,
}


def _accepted(row: StoredTask | None, operation: Operation, stamp: Stamp) -> StoredTask:
    """Return the row if it is a task that has the required revision. Raises NotFound and PreconditionFailed."""
    if row is None or row.current is None:
        raise NotFound("task")
    if operation.revision is not None and not _is_known(row.task, operation, stamp):
        raise PreconditionFailed("task", row.task)
    return row


def _is_known(task: Task, operation: Operation, stamp: Stamp) -> bool:
    """Return whether the task has the required revision, or had it before an operation on its parent changed it."""
    found = stamp.found.get(task.id)
    return operation.revision in (task.revision, found.task.revision if found else None)


def _unexpected(task: Task, operation: Operation) -> list[str]:
    """Return the names whose values are neither those that the caller knows nor those that it wants."""
    if operation.base is None:
        return []
    known = operation.base
    names = [name for name in CHANGEABLE if name in operation.values]
    return [name for name in names if getattr(task, name) not in (known[name], operation.values[name])]


def _new(operation: Operation, stamp: Stamp) -> Written:
    task_id = operation.id or _new_id()
    placed_values = placed(stamp.family(), task_id, operation.values)
    _check_list(placed_values, stamp)
    absent = {"list_id": None, "position": stamp.new_position(stamp.revision)}
    values = due.of_new_task({**absent, **placed_values})
    new = StoredTask(
        Task(
            id=task_id,
            user_id=stamp.user_id,
            **values,
            completed_at=stamp.at if values["completed"] else None,
            created_at=stamp.at,
            updated_at=stamp.at,
            revision=stamp.revision,
        )
    )
    return (new,)


def _with_values(row: StoredTask, values: Mapping[str, Any], stamp: Stamp) -> Written:
    """Return the row with these values, or the same row if it has them already, and the subtasks that follow it.

    Raises NoDueDate, NoSuchList and what `placed` raises.
    """
    family = stamp.family()
    if "parent_id" in values or "list_id" in values:
        values = placed(family, row.task.id, values)
        _check_list(values, stamp)
    values = due.of_task(row.task, values)
    if all(getattr(row.task, name) == value for name, value in values.items()):
        return (row,)
    strayed = [one for one in descendants(family, row.task.id) if one.list_id != values.get("list_id", one.list_id)]
    first, *followers = _touched_all([row.task, *strayed], stamp)
    task = first._replace(**values)
    new = StoredTask(task._replace(completed_at=(task.completed_at or task.updated_at) if task.completed else None))
    return new, *(StoredTask(one._replace(list_id=task.list_id)) for one in followers)


def _check_list(values: Mapping[str, Any], stamp: Stamp) -> None:
    """Raise NoSuchList if a task would be in a list that is not there. That of its parent is."""
    if values.get("parent_id") is None and values.get("list_id") is not None and values["list_id"] not in stamp.lists:
        raise NoSuchList


def _touched_all(tasks: Sequence[Task], stamp: Stamp) -> list[Task]:
    """Return tasks with the stamps of writes that follow each other."""
    return [_touched(task, stamp._replace(revision=stamp.revision + place)) for place, task in enumerate(tasks)]


def _touched(task: Task, stamp: Stamp) -> Task:
    """Return the task with the stamp of a write. Its time never goes back, even if the database's clock does."""
    return task._replace(revision=stamp.revision, updated_at=max(stamp.at, task.updated_at))


def _new_id() -> UUID:
    # The library's own subclass cannot be written as JSON.
    return UUID(int=uuid7().int)
