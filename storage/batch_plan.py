"""What a batch does to each task: pure functions of the task as it is, and of the operation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

from storage import subtrees, task_rows
from storage.errors import (
    Conflict,
    ImpossibleRecurrence,
    ListOfParent,
    NoDueDate,
    NoSuchList,
    NoSuchParent,
    NotFound,
    ParentCycle,
    PreconditionFailed,
    RecurringSubtask,
    SeriesMovedOn,
    TooDeep,
)
from storage.recurrence_rules import normalised
from storage.rows import Rows, Stamp, StoredTask, Written
from storage.tasks import CHANGEABLE, Task

FAILURES: dict[type[Exception], str] = {
    NotFound: "not_found",
    Conflict: "conflict",
    PreconditionFailed: "precondition_failed",
    NoDueDate: "no_due_date",
    NoSuchList: "no_such_list",
    NoSuchParent: "no_such_parent",
    ParentCycle: "parent_cycle",
    TooDeep: "too_deep",
    ListOfParent: "list_of_parent",
    RecurringSubtask: "recurring_subtask",
    ImpossibleRecurrence: "impossible_recurrence",
    SeriesMovedOn: "series_moved_on",
}
"""The errors that an operation may end with, by the names that kept answers have for them."""

_ERRORS = tuple(FAILURES)
_OF_FAMILY = {"parent_id", "list_id", "completed"}


class Operation(NamedTuple):
    """A write of one task. A `create` without an id gets a new one.

    `values` has a value for each name in CHANGEABLE, of which time, zone, list, parent, position and recurrence may be
    absent.
    For an `update`, it has some of them, and `base` the values of the same names as the caller knows them. `revision`
    is the one that the task must have. None requires nothing. `keep_next` is that of `task_updates.update_task`.
    """

    op: Literal["create", "replace", "update", "delete", "restore"]
    id: UUID | None
    values: Mapping[str, Any]
    base: Mapping[str, Any] | None = None
    revision: int | None = None
    keep_next: bool = False


class Outcome(NamedTuple):
    """What became of an operation. `error` says why it failed.

    `task` is the task after a write, even one that changed nothing, or that a failed operation found. `id` is None if
    none was given and none was chosen.
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


class _Turn(NamedTuple):
    """What an operation finds: the rows before the batch, and after the operations before it, and its stamp.

    `restores` are the tasks that the batch restores, in the order of its operations.
    """

    found: Mapping[UUID, StoredTask]
    rows: Rows
    stamp: Stamp
    deletion_id: UUID
    restores: Sequence[UUID]


def plan(operations: Sequence[Operation], found: Mapping[UUID, StoredTask], stamp: Stamp) -> Plan:
    """Decide what each operation does. No two may have the same id.

    `found` are the rows that are there, by their ids, and `stamp` is that of the first write.
    """
    changed: dict[UUID, StoredTask] = {}
    rows, outcomes, deletion_id = Rows(found.values()), [], uuid4()
    restores = [one.id for one in operations if one.op == "restore" and one.id]
    for operation in operations:
        row = rows.get(operation.id) if operation.id else None
        try:
            new, *others = _DECISIONS[operation.op](row, operation, _Turn(found, rows, stamp, deletion_id, restores))
        except _ERRORS as error:
            outcomes.append(Outcome("failed", operation.id, row.current if row else None, error))
            continue
        if new is not row:
            rows.add((new, *others))
            changed |= {one.task.id: one for one in (new, *others)}
            stamp = stamp.after(1 + len(others))
        outcomes.append(_success(row, new))
    return Plan(outcomes, [*changed.values()], stamp.revision - 1)


def needs_lists(operation: Operation) -> bool:
    """Return whether what an operation does depends on which lists there are."""
    return operation.op == "restore" or operation.values.get("list_id") is not None


def needs_family(operation: Operation) -> bool:
    """Return whether what an operation does depends on the task's subtasks or its parent, if it has any."""
    return operation.op in ("delete", "restore") or not operation.values.keys().isdisjoint(_OF_FAMILY)


def failures(plan: Plan, operations: Sequence[Operation], found: Rows) -> list[Outcome]:
    """Return the outcomes if nothing of a plan is carried out, because a part of it fails."""
    pairs = zip(plan.outcomes, operations, strict=True)
    return [
        outcome._replace(task=found.live(operation.id)) if outcome.error else Outcome("not_run", operation.id)
        for outcome, operation in pairs
    ]


def _success(old: StoredTask | None, new: StoredTask) -> Outcome:
    if new.current is None:
        return Outcome("deleted", new.task.id)
    return Outcome("created" if old is None else "written", new.task.id, new.task)


def _create(row: StoredTask | None, operation: Operation, turn: _Turn) -> Written:
    if row is not None:
        raise Conflict("task", row.current)
    return task_rows.created(operation.id, operation.values, turn.rows, turn.stamp)


def _replace(row: StoredTask | None, operation: Operation, turn: _Turn) -> Written:
    current = row.current if row else None
    if current is not None:
        _check_revision(current, operation, turn)
    elif operation.revision is not None:
        raise PreconditionFailed("task", None)
    if row is None:
        return task_rows.created(operation.id, operation.values, turn.rows, turn.stamp)
    if current is None:
        raise Conflict("task")
    return _with_values(row, operation, turn)


def _update(row: StoredTask | None, operation: Operation, turn: _Turn) -> Written:
    row = _accepted(row, operation, turn)
    if members := _unexpected(row.task, operation):
        raise Conflict("task", row.task, members)
    return _with_values(row, operation, turn)


def _delete(row: StoredTask | None, operation: Operation, turn: _Turn) -> Written:
    if row is not None and row.deletion_id == turn.deletion_id:
        # With its parent, by an operation of this batch.
        _check_revision(row.task, operation, turn)
        return (row,)
    return tuple(subtrees.deleted(_accepted(row, operation, turn).task, turn.rows, turn.stamp, turn.deletion_id))


def _restore(row: StoredTask | None, _: Operation, turn: _Turn) -> Written:
    if row is None or row.erased_at is not None:
        raise NotFound("task")
    return (row,) if row.current else tuple(subtrees.restored(row, turn.rows, turn.stamp, turn.restores))


def _with_values(row: StoredTask, operation: Operation, turn: _Turn) -> Written:
    return task_rows.changed(row, operation.values, turn.rows, turn.stamp, keep_next=operation.keep_next)


_DECISIONS: dict[str, Callable[[StoredTask | None, Operation, _Turn], Written]] = {
    "create": _create,
    "replace": _replace,
    "update": _update,
    "delete": _delete,
    "restore": _restore,
}


def _accepted(row: StoredTask | None, operation: Operation, turn: _Turn) -> StoredTask:
    """Return the row if it is a task that has the required revision. Raises NotFound and PreconditionFailed."""
    if row is None or row.current is None:
        raise NotFound("task")
    _check_revision(row.task, operation, turn)
    return row


def _check_revision(task: Task, operation: Operation, turn: _Turn) -> None:
    """Raise PreconditionFailed if a revision is required that the task neither has nor had before the batch.

    An operation on a relative may have changed it.
    """
    found = turn.found.get(task.id)
    if operation.revision not in (None, task.revision, found.task.revision if found else None):
        raise PreconditionFailed("task", task)


def _unexpected(task: Task, operation: Operation) -> list[str]:
    """Return the names whose values are neither those that the caller knows nor those that it wants."""
    if operation.base is None:
        return []
    known = operation.base
    names = [name for name in CHANGEABLE if name in operation.values]
    return [name for name in names if getattr(task, name) not in _as_stored(task, name, known, operation.values)]


def _as_stored(task: Task, name: str, *given: Mapping[str, Any]) -> list[Any]:
    """Return given values of a name in the form of the task's own value."""
    values = [one[name] for one in given]
    if name != "recurrence" or task.due_date is None:
        return values
    return [value and normalised(value, task.due_date) for value in values]
