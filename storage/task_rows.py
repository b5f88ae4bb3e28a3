"""What writes that Python decides make of rows: pure functions of the rows as they are, new values, and the time."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from uuid6 import uuid7

from storage import positions, series
from storage.errors import NoSuchList, SeriesMovedOn
from storage.series import LEFT, NO_NEXT, Now, Step
from storage.tasks import Task


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
    """What a write puts on a row: the next revision, and the time; and what it depends on.

    `time_zone` is the one that the user prefers. `lists` are the ids of the user's lists, if the write puts a task into
    one. `new_position` makes the position of a new task from its revision.
    """

    user_id: str
    revision: int
    at: datetime
    time_zone: str | None
    lists: Collection[UUID]
    new_position: Callable[[int], str]

    @property
    def now(self) -> Now:
        """The time of the write, for the reckoning of a schedule."""
        return Now(self.at, self.time_zone)


Rows = Mapping[UUID, StoredTask]
"""Rows by their ids."""
Written = tuple[StoredTask, ...]
"""The row of a task after a write, and with it, if there is one, that of the next occurrence."""


def created(task_id: UUID | None, values: Mapping[str, Any], stamp: Stamp) -> Written:
    """Return the rows of a new task. Without an id, it gets a new one. Raises ImpossibleRecurrence and NoSuchList."""
    _check_list(values, stamp)
    absent = {"list_id": None, "position": stamp.new_position(stamp.revision)}
    step = series.of_new_task({**absent, **values}, stamp.now)
    task = Task(
        id=task_id or _new_id(),
        user_id=stamp.user_id,
        **{**LEFT, **step.values},
        completed_at=stamp.at if step.values["completed"] else None,
        created_at=stamp.at,
        updated_at=stamp.at,
        revision=stamp.revision,
    )
    return _with_following(task, step)


def changed(row: StoredTask, values: Mapping[str, Any], rows: Rows, stamp: Stamp, *, keep_next: bool) -> Written:
    """Return the row with these values, or the same row if it has them already.

    `rows` has the next occurrence, if reopening the task removes it. Raises NoDueDate, NoSuchList, ImpossibleRecurrence
    and SeriesMovedOn.
    """
    _check_list(values, stamp)
    step = series.of_task(row.task, values, stamp.now, keep_next=keep_next)
    if all(getattr(row.task, name) == value for name, value in step.values.items()):
        return (row,)
    task = touched(row.task, stamp)._replace(**step.values)
    task = task._replace(completed_at=(task.completed_at or task.updated_at) if task.completed else None)
    if step.removes_next:
        return (StoredTask(task), _removed(row.task, rows, stamp._replace(revision=stamp.revision + 1)))
    return _with_following(task, step)


def restored(row: StoredTask, stamp: Stamp) -> StoredTask:
    """Return a deleted row as that of a task, which is at the top of the inbox if its list is deleted."""
    task = touched(row.task, stamp)
    if task.list_id is not None and task.list_id not in stamp.lists:
        task = task._replace(list_id=None, position=positions.first(stamp.revision))
    return StoredTask(task)


def touched(task: Task, stamp: Stamp) -> Task:
    """Return the task with the stamp of a write. Its time never goes back, even if the database's clock does."""
    return task._replace(revision=stamp.revision, updated_at=max(stamp.at, task.updated_at))


def _check_list(values: Mapping[str, Any], stamp: Stamp) -> None:
    """Raise NoSuchList if a task would be in a list that is not there."""
    if values.get("list_id") is not None and values["list_id"] not in stamp.lists:
        raise NoSuchList


def _with_following(task: Task, step: Step) -> Written:
    if step.following is None:
        return (StoredTask(task),)
    fresh: dict[str, Any] = {"completed": False, "completed_at": None, "created_at": task.updated_at, **NO_NEXT}
    following = task._replace(**fresh, **step.following, revision=task.revision + 1)
    return StoredTask(task._replace(next_revision=following.revision)), StoredTask(following)


def _removed(task: Task, rows: Rows, stamp: Stamp) -> StoredTask:
    """Return the next occurrence as a tombstone. Raises SeriesMovedOn if it has changed since it was created."""
    row = rows.get(task.next_task_id) if task.next_task_id else None
    if row is None or row.current is None or row.task.revision != task.next_revision:
        raise SeriesMovedOn
    tombstone = touched(row.task, stamp)._replace(title="", description=None, tags=[])
    return StoredTask(tombstone, deleted_at=tombstone.updated_at, erased_at=tombstone.updated_at)


def _new_id() -> UUID:
    # The library's own subclass cannot be written as JSON.
    return UUID(int=uuid7().int)
