"""Moves: a task gets another place among its siblings, in two round trips, however many siblings there are.

The neighbours of the place are read under the account's lock, so that two moves at once never make the same position.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid, bindparam, column, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts, positions, relatives, set_subtasks, siblings, stored_rows
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Call, Transaction
from storage.errors import (
    ListOfParent,
    NoSuchAnchor,
    NoSuchList,
    NotFound,
    PreconditionFailed,
    RecurringSubtask,
)
from storage.family import placed
from storage.rows import Rows
from storage.schema import is_live, is_live_list, lists, tasks
from storage.set_changes import portions
from storage.siblings import Spot
from storage.tasks import Task, changed, columns, not_before_last_update, own

# As many tasks as one statement changes, as in `storage/set_changes.py`.
_PORTION = 250
_revision = bindparam("revision", type_=BigInteger)
_list_id = bindparam("list_id", type_=Uuid)
_time = not_before_last_update(bindparam("at", type_=DateTime(timezone=True)))
_FIND = Query(select(*columns, tasks.c.is_parent).where(*own, is_live))
_FIND_LIST = Query(select(lists.c.id).where(lists.c.user_id == accounts.owner, lists.c.id == _list_id, is_live_list))
_new_place = {
    "list_id": _list_id,
    "parent_id": bindparam("parent_id", type_=Uuid),
    "position": bindparam("position", type_=Text),
}
_MOVE = Query(update(tasks).where(*own).values(**changed(_new_place, _revision, _time)).returning(*columns))


def _space() -> Query:
    """Return the statement that gives new positions to tasks, which take the revisions that follow `revision`."""
    ids, places = bindparam("ids", type_=ARRAY(Uuid)), bindparam("positions", type_=ARRAY(Text))
    rows = func.unnest(ids, places).table_valued(column("id", Uuid), column("position", Text), with_ordinality="place")
    new = rows.render_derived("new").c
    values = changed({"position": new.position}, _revision + new.place, _time)
    return Query(update(tasks).where(tasks.c.user_id == accounts.owner, tasks.c.id == new.id).values(**values))


_SPACE = _space()


class _Place(NamedTuple):
    """Where a task is to be: in a list, under a parent or not, and between the positions of its neighbours."""

    list_id: UUID | None
    parent_id: UUID | None
    low: str | None
    high: str | None

    def has(self, task: Task) -> bool:
        """Return whether the task is there already."""
        if (task.list_id, task.parent_id) != (self.list_id, self.parent_id):
            return False
        return (self.low is None or self.low < task.position) and (self.high is None or task.position < self.high)


class _Turn(NamedTuple):
    """What a move finds once it has the account's lock. `is_parent` is whether the task may have subtasks."""

    revision: int
    at: datetime
    task: Task
    is_parent: bool
    place: _Place


async def move_task(
    database: Database, user_id: str, task_id: UUID, spot: Spot, revisions: Sequence[int] | None
) -> Task:
    """Move the task to a spot, and return it. A task that is there already keeps its revision.

    If there is no position between its new neighbours, some of its siblings get new ones, each with a revision of its
    own. Its subtasks follow it into another list. The task is moved only if its revision is in `revisions`; None allows
    any. Raises NotFound, PreconditionFailed, NoSuchList, NoSuchParent, ParentCycle, TooDeep, ListOfParent,
    RecurringSubtask, NoSuchAnchor, and what `Database.in_transaction` raises.
    """

    async def work(transaction: Transaction) -> Task:
        turn = await _turn(transaction, user_id, task_id, spot, revisions)
        if turn.place.has(turn.task):
            return turn.task
        position = positions.placed(turn.place.low, turn.place.high, turn.revision + 1)
        if position is None:
            return await _make_room(transaction, turn, spot)
        return await _move(transaction, turn, position, turn.revision + 1)

    return await database.in_transaction(user_id, work)


async def _turn(
    transaction: Transaction, user_id: str, task_id: UUID, spot: Spot, revisions: Sequence[int] | None
) -> _Turn:
    """Lock the account, and find the task, its new relatives and its new neighbours, in one round trip."""
    owner = {"user_id": user_id}
    find, find_list = (_FIND, {**owner, "id": task_id}), (_FIND_LIST, {**owner, "list_id": spot.list_id})
    neighbours = [siblings.IN_INDEX_ORDER, *siblings.neighbours(user_id, task_id, spot)]
    family = [relatives.find(user_id, [task_id], [spot.parent_id])] if spot.parent_id else []
    found = await transaction.run((accounts.LOCK, owner), find, find_list, *family, *neighbours)
    locked, tasks_found, there, *kin, _, at_the_top, below = found
    if not tasks_found:
        raise NotFound("task")
    *columns, is_parent = tasks_found[0]
    task = Task._make(columns)
    if revisions is not None and task.revision not in revisions:
        raise PreconditionFailed("task", task)
    if spot.list_id is not None and not there:
        raise NoSuchList
    list_id, parent_id = _home(task, spot, stored_rows.by_id(kin[0]) if kin else Rows())
    ends = below if parent_id else at_the_top
    if not ends:
        raise NoSuchAnchor("task")
    (revision, at), (low, high) = locked[0], ends[0]
    return _Turn(revision, at, task, is_parent, _Place(list_id, parent_id, low, high))


def _home(task: Task, spot: Spot, family: Rows) -> tuple[UUID | None, UUID | None]:
    """Return the list and the parent that a task has at a spot. Raises what `placed` raises, and RecurringSubtask."""
    in_list = {"list_id": spot.list_id} if spot.is_in_list else {}
    parent_id = spot.parent_id if spot.has_parent else task.parent_id
    if spot.parent_id is not None:
        if task.recurrence is not None:
            raise RecurringSubtask
        return placed(family, task.id, {"parent_id": parent_id, **in_list})["list_id"], parent_id
    list_id = spot.list_id if spot.is_in_list else task.list_id
    if parent_id is not None and list_id != task.list_id:
        raise ListOfParent
    return list_id, parent_id


async def _make_room(transaction: Transaction, turn: _Turn, spot: Spot) -> Task:
    """Move the task to a spot where there is no room, after giving new positions to siblings around it."""
    home = turn.place.list_id, turn.place.parent_id
    (rows,) = await transaction.run(siblings.arranged(turn.task.user_id, turn.task.id, *home))
    ids, arranged = [row[0] for row in rows], [row[1] for row in rows]
    index = siblings.index_of(spot, ids)
    start, spaced = positions.with_room(arranged, index, turn.revision + 1)
    own_position = spaced.pop(index - start)
    siblings_there = zip(ids[start:], spaced, arranged[start:], strict=False)
    moved = [(one, new) for one, new, old in siblings_there if new != old]
    for first in range(0, len(moved), _PORTION):
        await transaction.run(_portion(turn, moved[first : first + _PORTION], turn.revision + first))
    return await _move(transaction, turn, own_position, turn.revision + len(moved) + 1)


def _portion(turn: _Turn, moved: Sequence[tuple[UUID, str]], revision: int) -> Call:
    """Return the statement that gives these tasks these positions, with the revisions that follow `revision`."""
    ids, places = zip(*moved, strict=True)
    new = {"ids": list(ids), "positions": list(places), "revision": revision, "at": turn.at}
    return _SPACE, {"user_id": turn.task.user_id, **new}


async def _move(transaction: Transaction, turn: _Turn, position: str, revision: int) -> Task:
    """Give the task its place, have its subtasks follow into its list, and commit."""
    user_id, place, follow = turn.task.user_id, turn.place, list[UUID]()
    if turn.is_parent and place.list_id != turn.task.list_id:
        follow = await set_subtasks.others_below(transaction, user_id, [turn.task.id])
    home = {"list_id": place.list_id, "parent_id": place.parent_id, "position": position}
    stamp = {"revision": revision, "at": turn.at}
    calls: list[Call] = [(_MOVE, {"user_id": user_id, "id": turn.task.id, **home, **stamp})]
    calls += portions(
        set_subtasks.FOLLOW, follow, {"user_id": user_id, "new_list_id": place.list_id}, revision, turn.at
    )
    calls += [stored_rows.mark(user_id, [place.parent_id])] if place.parent_id else []
    (row,), *_ = await transaction.commit(*calls, accounts.set_revision(user_id, revision + len(follow)))
    return Task._make(row)
