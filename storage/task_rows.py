"""What writes that Python decides make of rows: pure functions of the rows as they are, new values, and the time."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from storage import series, subtrees
from storage.errors import NoSuchList
from storage.family import placed
from storage.rows import Rows, Stamp, StoredTask, Written, touched
from storage.series import LEFT, NO_NEXT, Step
from storage.tasks import Task


def created(task_id: UUID | None, values: Mapping[str, Any], rows: Rows, stamp: Stamp) -> Written:
    """Return the rows of a new task, and of the next occurrence if it is completed. Without an id, it gets a new one.

    `rows` has the parent and its ancestors. Raises ImpossibleRecurrence, RecurringSubtask, NoSuchList and what `placed`
    raises.
    """
    values = placed(rows, task_id, values)
    _check_list(values, stamp)
    absent = {"list_id": None, "position": stamp.new_position(stamp.revision)}
    step = series.of_new_task({**absent, **values}, stamp.now)
    task = Task(
        id=task_id or subtrees.new_id(),
        user_id=stamp.user_id,
        **{**LEFT, **step.values},
        completed_at=stamp.at if step.values["completed"] else None,
        created_at=stamp.at,
        updated_at=stamp.at,
        revision=stamp.revision,
    )
    return _with_next(task, step, rows, [StoredTask(task)], stamp)


def changed(
    row: StoredTask, values: Mapping[str, Any], rows: Rows, stamp: Stamp, *, keep_next: bool, completes: bool = False
) -> Written:
    """Return the row with these values, or the same row if it has them already, and the others that change with it.

    `rows` has the relatives, if any may change, and the next occurrence with its own, if reopening removes it. With
    `completes`, open subtasks are completed too. Raises NoDueDate, NoSuchList, ImpossibleRecurrence, RecurringSubtask,
    SeriesMovedOn and what `placed` raises.
    """
    if "parent_id" in values or "list_id" in values:
        values = placed(rows, row.task.id, values)
        _check_list(values, stamp)
    step = series.of_task(row.task, values, stamp.now, keep_next=keep_next)
    if all(getattr(row.task, name) == value for name, value in step.values.items()):
        return row, *(subtrees.following(row.task, rows, stamp, completes=True) if completes else ())
    task = subtrees.completed(touched(row.task, stamp)._replace(**step.values))
    written = [StoredTask(task)]
    if completes or task.list_id != row.task.list_id:
        written += subtrees.following(task, rows, stamp.after(1), completes=completes)
    if step.removes_next:
        written += subtrees.removed(row.task, rows, stamp.after(len(written)))
    return _with_next(task, step, rows, written, stamp)


def skipped(row: StoredTask, rows: Rows, stamp: Stamp) -> Written:
    """Return the row of a task that moves to its next occurrence, and those of its subtasks, which become open.

    Raises NoNextOccurrence.
    """
    step = series.skipped(row.task, stamp.now)
    task = touched(row.task, stamp)._replace(**step.values)
    return StoredTask(task), *subtrees.moved_on(row.task, task, rows, stamp.after(1))


def _check_list(values: Mapping[str, Any], stamp: Stamp) -> None:
    """Raise NoSuchList if a task would be in a list that is not there. That of its parent is."""
    if values["parent_id"] is None and values.get("list_id") is not None and values["list_id"] not in stamp.lists:
        raise NoSuchList


def _with_next(task: Task, step: Step, rows: Rows, written: list[StoredTask], stamp: Stamp) -> Written:
    """Return what is written, and the next occurrence if there is one: first copies of the subtasks, and it at last.

    So a subtask with a higher revision than it had then has been written since.
    """
    if step.following is None:
        return tuple(written)
    fresh: dict[str, Any] = {"completed": False, "completed_at": None, "created_at": task.updated_at, **NO_NEXT}
    next_task = task._replace(**fresh, **step.following)
    copies = subtrees.copied(task, next_task, rows, stamp.after(len(written)))
    next_task = next_task._replace(revision=stamp.revision + len(written) + len(copies))
    first = StoredTask(task._replace(next_revision=next_task.revision))
    return first, *written[1:], *copies, StoredTask(next_task)
