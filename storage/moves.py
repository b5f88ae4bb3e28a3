"""Moves: a task gets another place among its siblings, in two round trips, however many siblings there are.

The neighbours of the place are read under the account's lock, so that two moves at once never make the same position.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid, bindparam, column, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts, positions, set_subtasks, siblings
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Call, Transaction
from storage.errors import ListOfParent, NoSuchAnchor, NoSuchList, NotFound, PreconditionFailed
from storage.schema import is_live, is_live_list, lists, tasks
from storage.set_changes import portions
from storage.siblings import Spot
from storage.tasks import Task, changed, columns, not_before_last_update, own

# As many tasks as one statement changes, as in `storage/set_changes.py`.
_PORTION = 250
_revision = bindparam("revision", type_=BigInteger)
_list_id = bindparam("list_id", type_=Uuid)
_time = not_before_last_update(bindparam("at", type_=DateTime(timezone=True)))
_FIND = Query(select(*columns).where(*own, is_live))
_FIND_LIST = Query(select(lists.c.id).where(lists.c.user_id == accounts.owner, lists.c.id == _list_id, is_live_list))
_new_place = {"list_id": _list_id, "position": bindparam("position", type_=Text)}
_MOVE = Query(update(tasks).where(*own).values(**changed(_new_place, _revision, _time)).returning(*columns))


def _space() -> Query:
    """Return the statement that gives new positions to tasks, which take the revisions that follow `revision`."""
    ids, places = bindparam("ids", type_=ARRAY(Uuid)), bindparam("positions", type_=ARRAY(Text))
    rows = func.unnest(ids, places).table_valued(column("id", Uuid), column("position", Text), with_ordinality="place")
    new = rows.render_derived("new").c
    values = changed({"position": new.position}, _revision + new.place, _time)
    return Query(update(tasks).where(tasks.c.user_id == accounts.owner, tasks.c.id == new.id).values(**values))


_SPACE = _space()


class _Turn(NamedTuple):
    """What a move finds once it has the account's lock: the task, its new list, and the positions of its neighbours."""

    revision: int
    at: datetime
    task: Task
    list_id: UUID | None
    low: str | None
    high: str | None

    def is_in_place(self) -> bool:
        """Return whether the task is there already."""
        here = self.task.position
        if self.task.list_id != self.list_id:
            return False
        return (self.low is None or self.low < here) and (self.high is None or here < self.high)


async def move_task(
    database: Database, user_id: str, task_id: UUID, spot: Spot, revisions: Sequence[int] | None
) -> Task:
    """Move the task to a spot, and return it. A task that is there already keeps its revision.

    If there is no position between its new neighbours, some of its siblings get new ones, each with a revision of its
    own. Its subtasks follow it into another list. The task is moved only if its revision is in `revisions`; None allows
    any. Raises NotFound, PreconditionFailed, NoSuchList, NoSuchAnchor, ListOfParent, and what `Database.in_transaction`
    raises.
    """

    async def work(transaction: Transaction) -> Task:
        turn = await _turn(transaction, user_id, task_id, spot, revisions)
        if turn.is_in_place():
            return turn.task
        place = positions.placed(turn.low, turn.high, turn.revision + 1)
        if place is None:
            return await _make_room(transaction, turn, spot)
        return await _move(transaction, turn, place, turn.revision + 1)

    return await database.in_transaction(user_id, work)


async def _turn(
    transaction: Transaction, user_id: str, task_id: UUID, spot: Spot, revisions: Sequence[int] | None
) -> _Turn:
    """Lock the account, and find the task and its new neighbours, in one round trip."""
    owner = {"user_id": user_id}
    find, find_list = (_FIND, {**owner, "id": task_id}), (_FIND_LIST, {**owner, "list_id": spot.list_id})
    neighbours = siblings.neighbours(user_id, task_id, spot)
    calls: list[Call] = [(accounts.LOCK, owner), find, find_list, siblings.IN_INDEX_ORDER, neighbours]
    locked, found, there, _, ends = await transaction.run(*calls)
    if not found:
        raise NotFound("task")
    task = Task._make(found[0])
    if revisions is not None and task.revision not in revisions:
        raise PreconditionFailed("task", task)
    if spot.list_id is not None and not there:
        raise NoSuchList
    if spot.is_in_list and task.parent_id is not None and spot.list_id != task.list_id:
        raise ListOfParent
    if not ends:
        raise NoSuchAnchor("task")
    (revision, at), (low, high) = locked[0], ends[0]
    return _Turn(revision, at, task, spot.list_id if spot.is_in_list else task.list_id, low, high)


async def _make_room(transaction: Transaction, turn: _Turn, spot: Spot) -> Task:
    """Move the task to a spot where there is no room, after giving new positions to siblings around it."""
    (rows,) = await transaction.run(siblings.arranged(turn.task.user_id, turn.task.id, turn.list_id))
    ids, arranged = [row[0] for row in rows], [row[1] for row in rows]
    place = siblings.index_of(spot, ids)
    start, spaced = positions.with_room(arranged, place, turn.revision + 1)
    own_position = spaced.pop(place - start)
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


async def _move(transaction: Transaction, turn: _Turn, place: str, revision: int) -> Task:
    """Give the task its position and list, have its subtasks follow into that, and commit."""
    user_id, ids = turn.task.user_id, [turn.task.id]
    new = {"id": turn.task.id, "list_id": turn.list_id, "position": place, "revision": revision, "at": turn.at}
    move: Call = (_MOVE, {"user_id": user_id, **new})
    follow: Sequence[UUID] = ()
    if turn.list_id != turn.task.list_id:
        follow = await set_subtasks.followers(transaction, user_id, ids, turn.list_id)
    into = {"user_id": user_id, "new_list_id": turn.list_id}
    calls = [move, *portions(set_subtasks.FOLLOW, follow, into, revision, turn.at)]
    (row,), *_ = await transaction.commit(*calls, accounts.set_revision(user_id, revision + len(follow)))
    return Task._make(row)
