"""Subtasks of the tasks of a set: deleted with them, and moved to another list with them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts
from storage.driver.query import Query
from storage.driver.transaction import Call, Transaction
from storage.schema import tasks
from storage.set_statements import statements, with_subtasks

_ids = bindparam("ids", type_=ARRAY(Uuid))
_list = bindparam("new_list_id", type_=Uuid)
_picked = (tasks.c.user_id == accounts.owner, tasks.c.id == any_(_ids))
FOLLOW: Query = statements([], {"list_id": _list}, true()).write
"""Moves tasks to the list of the parameter `new_list_id`."""


def _family() -> Query:
    family = with_subtasks(select(tasks.c.id).where(*_picked))
    return Query(select(family.c.id))


def _followers() -> Query:
    # Those that match stay with their parents, unless these are moved.
    at_the_top = select(tasks.c.id).where(*_picked, tasks.c.parent_id.is_(None))
    family = with_subtasks(at_the_top)
    below = select(tasks.c.id).where(tasks.c.user_id == accounts.owner, tasks.c.id.in_(select(family.c.id)))
    return Query(below.where(tasks.c.parent_id.is_not(None), tasks.c.list_id.is_distinct_from(_list)))


_FAMILY, _FOLLOWERS = _family(), _followers()


async def others_below(transaction: Transaction, user_id: str, ids: Sequence[UUID]) -> list[UUID]:
    """Return the ids of the subtasks of these tasks, and of theirs, that are not among them."""
    there = set(ids)
    return [
        one for one in await _found(transaction, (_FAMILY, {"user_id": user_id, "ids": [*ids]})) if one not in there
    ]


async def followers(transaction: Transaction, user_id: str, ids: Sequence[UUID], list_id: UUID | None) -> list[UUID]:
    """Return the ids of the subtasks that follow these tasks into a list, which they are not in."""
    return await _found(transaction, (_FOLLOWERS, {"user_id": user_id, "ids": [*ids], "new_list_id": list_id}))


async def _found(transaction: Transaction, find: Call) -> list[UUID]:
    (rows,) = await transaction.run(find)
    return [task_id for (task_id,) in rows]
