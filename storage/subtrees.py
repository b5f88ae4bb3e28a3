"""What becomes of the subtasks of a task that is written: pure functions of the rows of a family.

Each returns the rows that it changes, which take the revisions from that of the stamp on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from uuid import UUID

from uuid6 import uuid7

from storage import due, positions, series
from storage.errors import SeriesMovedOn
from storage.family import Place, descendants, resettled
from storage.rows import Rows, Stamp, StoredTask, touched_all
from storage.tasks import Task


def following(task: Task, family: Rows, stamp: Stamp, *, completes: bool = False) -> list[StoredTask]:
    """Return the subtasks that change with a task: they are in its list and, with `completes`, they are completed."""

    def wanted(one: Task) -> Task:
        return one._replace(list_id=task.list_id, completed=one.completed or completes)

    below = descendants(family, task.id)
    changed = touched_all((wanted(one) for one in below if wanted(one) != one), stamp)
    return [StoredTask(completed(one)) for one in changed]


def copied(task: Task, next_task: Task, family: Rows, stamp: Stamp) -> list[StoredTask]:
    """Return copies of the subtasks of an occurrence for the next one, at the same positions and in the same order."""
    ids, below = {task.id: next_task.id}, descendants(family, task.id)
    # Those with the same position are in the order of their ids.
    ids |= {one.id: new_id() for one in sorted(below, key=lambda one: one.id)}
    fresh = [
        one._replace(
            id=ids[one.id],
            parent_id=one.parent_id and ids[one.parent_id],
            list_id=next_task.list_id,
            created_at=next_task.created_at,
            updated_at=next_task.created_at,
        )
        for one in _begun_anew(below, _days_between(task, next_task))
    ]
    return [StoredTask(one) for one in touched_all(fresh, stamp)]


def moved_on(task: Task, skipped: Task, family: Rows, stamp: Stamp) -> list[StoredTask]:
    """Return the subtasks of an occurrence that is skipped: open again, and due as many days later as the task is."""
    below = descendants(family, task.id)
    pairs = zip(below, _begun_anew(below, _days_between(task, skipped)), strict=True)
    return [StoredTask(one) for one in touched_all((new for old, new in pairs if new != old), stamp)]


def removed(task: Task, family: Rows, stamp: Stamp) -> list[StoredTask]:
    """Return the occurrence after a completed one, and its subtasks, as tombstones.

    Raises SeriesMovedOn if it or one of its subtasks is not as it was created. Its subtasks were created with lower
    revisions than it.
    """
    next_task, revision = family.live(task.next_task_id), task.next_revision
    if next_task is None or revision is None:
        raise SeriesMovedOn
    if next_task.revision != revision and not series.is_as_created(next_task, task, stamp.time_zone):
        raise SeriesMovedOn
    below = descendants(family, next_task.id)
    # Usually none has been written, and there is nothing to compare.
    written = any(one.revision > revision for one in below)
    if written and any(one.revision > revision for one in _differing(below, task, next_task, family, stamp)):
        raise SeriesMovedOn
    gone = [one._replace(title="", description=None, tags=[]) for one in (next_task, *below)]
    return [StoredTask(one, one.updated_at, erased_at=one.updated_at) for one in touched_all(gone, stamp)]


def deleted(task: Task, family: Rows, stamp: Stamp, deletion_id: UUID) -> list[StoredTask]:
    """Return a task and its subtasks as deleted rows."""
    gone = touched_all([task, *descendants(family, task.id)], stamp)
    return [StoredTask(one, one.updated_at, deletion_id) for one in gone]


def restored(row: StoredTask, rows: Rows, stamp: Stamp, wanted: Sequence[UUID]) -> list[StoredTask]:
    """Return a deleted task and the subtasks that went with it, where they can be.

    Those of its family that are `wanted` too come back with it, and what went with them. A task whose list or parent is
    deleted is first in the inbox.
    """
    family = [row, *_wanted_with(row, rows, wanted)]
    found = {task.id: task for one in family for task in gone_with(one, rows)}
    return _resettled([_in_list_that_is_there(one, stamp) for one in touched_all(found.values(), stamp)], rows)


def gone_with(row: StoredTask, rows: Rows) -> list[Task]:
    """Return a deleted task and the subtasks that went with it."""
    gone = Rows(StoredTask(one.task) for one in rows.values() if _went_with(row, one))
    return [row.task, *descendants(gone, row.task.id)]


def completed(task: Task) -> Task:
    """Return a task with the time of its completion, which is that of this write if it was open before."""
    return task._replace(completed_at=(task.completed_at or task.updated_at) if task.completed else None)


def new_id() -> UUID:
    """Return the id of a new task."""
    # The library's own subclass cannot be written as JSON.
    return UUID(int=uuid7().int)


def _begun_anew(tasks: Iterable[Task], days: timedelta) -> list[Task]:
    """Return subtasks as a new occurrence has them: open, and due as many days later or earlier as it is."""
    return [_due(task, days)._replace(completed=False, completed_at=None) for task in tasks]


def _differing(below: Sequence[Task], task: Task, next_task: Task, family: Rows, stamp: Stamp) -> list[Task]:
    """Return the subtasks of the next occurrence that are not as completing the task would copy them."""
    copies = defaultdict[str, list[list[Task]]](list)
    for line in _lines(next_task, [row.task for row in copied(task, next_task, family, stamp)]):
        copies[line[0].position].append(line)
    lines = zip(below, _lines(next_task, below), strict=True)
    return [one for one, line in lines if line not in copies[one.position]]


def _lines(top: Task, below: Sequence[Task]) -> list[list[Task]]:
    """Return for each subtask of a task its line: it and those above it, without ids and stamps."""
    by_id = {one.id: one for one in below}

    def line(one: Task | None) -> list[Task]:
        if one is None:
            return []
        values = one._replace(
            id=top.id, parent_id=None, created_at=top.created_at, updated_at=top.updated_at, revision=0
        )
        return [values, *line(by_id.get(one.parent_id) if one.parent_id else None)]

    return [line(one) for one in below]


def _due(task: Task, days: timedelta) -> Task:
    if task.due_date is None:
        return task
    wanted = task.due_date.toordinal() + days.days
    day = date.fromordinal(min(max(wanted, date.min.toordinal()), date.max.toordinal()))
    return task._replace(due_date=day, due_at=due.instant_of(day, task.due_time, task.time_zone))


def _days_between(task: Task, next_task: Task) -> timedelta:
    """Return how far two occurrences are apart in the schedule, wherever they have been postponed to."""
    if task.occurrence_date is None or next_task.occurrence_date is None:
        return timedelta()
    return next_task.occurrence_date - task.occurrence_date


def _wanted_with(row: StoredTask, rows: Rows, wanted: Sequence[UUID]) -> list[StoredTask]:
    """Return the wanted tasks above a deleted task, and those below the highest of them."""
    *_, top = row, *(one for one in _in_trash_from(row, rows) if one.task.id in wanted)
    return [rows[one] for one in wanted if one in rows and top in _in_trash_from(rows[one], rows)]


def _in_trash_from(row: StoredTask | None, rows: Rows) -> Iterable[StoredTask]:
    """Yield a task and its ancestors, up to the first that is not in the trash."""
    while row is not None and row.deleted_at is not None and row.erased_at is None:
        yield row
        row = rows.get(row.task.parent_id) if row.task.parent_id else None


def _went_with(row: StoredTask, other: StoredTask) -> bool:
    return other.erased_at is None and row.deletion_id is not None and other.deletion_id == row.deletion_id


def _in_list_that_is_there(task: Task, stamp: Stamp) -> Task:
    if task.list_id is None or task.list_id in stamp.lists:
        return task
    return task._replace(list_id=None) if task.parent_id else _at_the_top(task)


def _at_the_top(task: Task) -> Task:
    """Return a task without list and parent, before all others."""
    return task._replace(list_id=None, parent_id=None, position=positions.first(task.revision))


def _resettled(tasks: Sequence[Task], rows: Rows) -> list[StoredTask]:
    """Return restored tasks where they can be."""
    live = [task for task in map(rows.live, rows) if task]
    places = {one.id: Place(one.id, one.parent_id, one.list_id, is_live=True) for one in (*live, *tasks)}
    new = {place.id: place for place in resettled(places, {task.id for task in tasks})}
    return [StoredTask(_moved(task, new[task.id]) if task.id in new else task) for task in tasks]


def _moved(task: Task, place: Place) -> Task:
    return task._replace(list_id=place.list_id) if place.parent_id else _at_the_top(task)
