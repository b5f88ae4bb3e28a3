"""Deletions: what one request deleted, which can be undone as a whole."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Uuid, bindparam, false, func, select, true

from storage import accounts, relatives, trash
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from storage.list_rows import StoredList, every_column
from storage.lists import Turn, begin, check_number, write
from storage.schema import is_in_trash, is_list_in_trash, lists, position, tasks
from storage.set_changes import portions
from storage.set_statements import statements

MOST_RESTORED = 1_000

_id = bindparam("deletion", type_=Uuid)


def pick(deletion: ColumnElement[UUID]) -> Query:
    """Return the statement that picks up to `limit` tasks of a deletion that are in the trash.

    What comes back before its parent would lose it, so parents are first. On each level the last one is first, since a
    task that comes first in the inbox comes in front of those that were restored before it.
    """
    own = tasks.c.user_id == accounts.owner, is_in_trash, trash.deletion_id == deletion
    gone = select(tasks.c.id, tasks.c.parent_id, position.element.label("position")).where(*own).cte("gone")
    # PostgreSQL hashes each of these sets, whatever it knows of the user. It may compare each pair of tasks for a join.
    has_parent = func.coalesce(gone.c.parent_id.in_(select(gone.c.id)), false())
    levels = select(gone, has_parent.label("has_parent")).cte("levels")
    below = select(levels.c.id).where(levels.c.has_parent)
    has_grandparent = func.coalesce(levels.c.parent_id.in_(below), false())
    last_first = levels.c.position.desc(), levels.c.id.desc()
    parents_first = select(levels.c.id).order_by(levels.c.has_parent, has_grandparent, *last_first)
    return Query(parents_first.limit(bindparam("limit", type_=BigInteger)))


_PICK = pick(_id)
RESTORE = statements([], trash.RESTORED, true()).write
"""Restores the picked tasks."""
_of_user = lists.c.user_id == accounts.owner
_FIND_LIST = Query(select(*every_column).where(_of_user, lists.c.deletion_id == _id, is_list_in_trash))


class Restored(NamedTuple):
    """What a request found of a deletion and restored, the user's revision after it, and whether there is more."""

    matched: int
    changed: int
    revision: int
    has_more: bool


async def restore_deletion(database: Database, user_id: str, deletion_id: UUID) -> Restored:
    """Restore what a deletion moved to the trash and is still there: its list, and the first MOST_RESTORED tasks.

    An unknown deletion has nothing. Raises LimitReached if the user has too many lists.
    """
    values = {"user_id": user_id, "deletion": deletion_id}

    async def work(transaction: Transaction) -> Restored:
        find_tasks = _PICK, {**values, "limit": MOST_RESTORED + 1}
        turn, (rows,) = await begin(transaction, user_id, (_FIND_LIST, values), find_tasks)
        if turn.row is None and not rows:
            return Restored(0, 0, turn.revision, has_more=False)
        picked = [task_id for (task_id,) in rows[:MOST_RESTORED]]
        _, revision = await restore(transaction, user_id, turn, picked, deletion_id)
        changed = revision - turn.revision
        return Restored(changed, changed, revision, has_more=len(rows) > MOST_RESTORED)

    return await database.in_transaction(user_id, work, is_long=True)


async def restore(
    transaction: Transaction, user_id: str, turn: Turn, ids: Sequence[UUID], deletion_id: UUID | None = None
) -> tuple[StoredList | None, int]:
    """Take the list that a write has found, if any, and then these tasks out of the trash, and commit.

    If there is a deletion, later requests restore the rest of it. Return the list, and the user's revision. Raises
    LimitReached.
    """
    revision, first, back = turn.revision, [], None
    if turn.row is not None:
        check_number(turn.number)
        revision += 1
        back = StoredList(turn.row.list.touched(revision, turn.at))
        # Before the tasks: one stays in the list only if that is there.
        first.append(write(back))
    for call in [*first, *portions(RESTORE, ids, {"user_id": user_id}, revision, turn.at)]:
        await transaction.run(call)
    await relatives.settle(transaction, user_id, ids, deletion_id)
    await transaction.commit(accounts.set_revision(user_id, revision + len(ids)))
    return back, revision + len(ids)
