"""Rows of tasks as they are, in their families, and the stamp that a write puts on them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from storage.series import Now
from storage.tasks import Task


class StoredTask(NamedTuple):
    """A task, deleted or not. `is_parent` is whether it may have subtasks; only reading a row sets it."""

    task: Task
    deleted_at: datetime | None = None
    deletion_id: UUID | None = None
    erased_at: datetime | None = None
    is_parent: bool = False

    @property
    def current(self) -> Task | None:
        """The task as callers see it: None if it is deleted."""
        return self.task if self.deleted_at is None else None


Written = tuple[StoredTask, ...]
"""The row of a task after a write, and then the others that it writes, with the revisions that follow."""


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

    def after(self, writes: int) -> "Stamp":
        """Return the stamp of the write after this one and some that follow it."""
        return self._replace(revision=self.revision + writes)


class Rows(dict[UUID, StoredTask]):
    """Rows by their ids. `live` and `children` have the tasks that are not deleted."""

    def __init__(self, rows: Iterable[StoredTask] = ()) -> None:
        """Begin with these rows."""
        super().__init__()
        self._below: defaultdict[UUID, dict[UUID, None]] = defaultdict(dict)
        self.add(rows)

    def add(self, rows: Iterable[StoredTask]) -> None:
        """Add rows, or replace those with the same ids."""
        for row in rows:
            self[row.task.id] = row
            if row.task.parent_id is not None:
                self._below[row.task.parent_id][row.task.id] = None

    def live(self, task_id: UUID | None) -> Task | None:
        """Return a task, None if it is deleted or not there."""
        row = self.get(task_id) if task_id else None
        return row.current if row else None

    def children(self, task_id: UUID) -> Sequence[Task]:
        """Return the subtasks of a task, without theirs."""
        tasks = map(self.live, self._below.get(task_id, ()))
        return [task for task in tasks if task and task.parent_id == task_id]


def touched(task: Task, stamp: Stamp) -> Task:
    """Return the task with the stamp of a write. Its time never goes back, even if the database's clock does."""
    return task._replace(revision=stamp.revision, updated_at=max(stamp.at, task.updated_at))


def touched_all(tasks: Iterable[Task], stamp: Stamp) -> list[Task]:
    """Return tasks with the stamps of writes that follow each other."""
    return [touched(task, stamp.after(place)) for place, task in enumerate(tasks)]
