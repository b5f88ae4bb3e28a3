"""Siblings: the tasks among which a task has its place, in the order of their positions and ids."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, func, literal_column, null, select, text, tuple_
from sqlalchemy.sql.elements import SQLColumnExpression

from storage import accounts
from storage.driver.query import Query
from storage.driver.transaction import Call
from storage.schema import NIL, is_live, list_or_nil, position, tasks


class Spot(NamedTuple):
    """A place among siblings: before or after one of them, the `anchor`, or the first or last.

    If `is_in_list`, the siblings are the tasks of the list `list_id`, or of the inbox if that is None. Otherwise, they
    are those of the list that the task is in.
    """

    side: Literal["before", "after", "first", "last"]
    anchor: UUID | None = None
    is_in_list: bool = False
    list_id: UUID | None = None


def index_of(spot: Spot, ids: Sequence[UUID]) -> int:
    """Return how many of the siblings with these ids, in their order, come before a spot."""
    if spot.anchor is not None:
        return ids.index(spot.anchor) + (spot.side == "after")
    return 0 if spot.side == "first" else len(ids)


_id = bindparam("id", type_=Uuid)
_task = tasks.alias("task")
_own_list = select(_task.c.list_id).where(_task.c.user_id == accounts.owner, _task.c.id == _id).scalar_subquery()
_given_list: ColumnElement[Any] = bindparam("list_id", type_=Uuid)


def _are_siblings(*, is_in_list: bool) -> list[ColumnElement[bool]]:
    """Return the conditions for the siblings of the task `id`, which is not one of them."""
    wanted = _given_list if is_in_list else _own_list
    # An index finds the first condition, but not the second one, which tells the inbox from a list with the id NIL.
    in_list = [list_or_nil == func.coalesce(wanted, NIL), tasks.c.list_id.is_not_distinct_from(wanted)]
    return [tasks.c.user_id == accounts.owner, is_live, *in_list, tasks.c.id != _id]


_here = (position.element, tasks.c.id)
_first_to_last: tuple[SQLColumnExpression[object], ...] = _here
_last_to_first = tuple(one.desc() for one in _here)


def _neighbours(side: str, *, is_in_list: bool) -> Query:
    """Return the statement that returns the positions of both neighbours of a place, NULL for one that is not there.

    It returns no row if the anchor is not a sibling.
    """
    siblings = _are_siblings(is_in_list=is_in_list)

    def nearest(order: tuple[SQLColumnExpression[object], ...], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
        rows = select(position).where(*siblings, *conditions).order_by(*order)
        return rows.limit(literal_column("1")).scalar_subquery()

    if side in ("first", "last"):
        ends = [null(), nearest(_first_to_last)] if side == "first" else [nearest(_last_to_first), null()]
        return Query(select(*ends))
    anchor = select(position, tasks.c.id).where(*siblings, tasks.c.id == bindparam("anchor", type_=Uuid)).cte("anchor")
    here, spot = tuple_(*_here), tuple_(anchor.c.position, anchor.c.id)
    if side == "before":
        return Query(select(nearest(_last_to_first, here < spot), anchor.c.position))
    return Query(select(anchor.c.position, nearest(_first_to_last, here > spot)))


_NEIGHBOURS = {
    (side, is_in_list): _neighbours(side, is_in_list=is_in_list)
    for side in ("before", "after", "first", "last")
    for is_in_list in (False, True)
}
# PostgreSQL underestimates how many tasks a list has, and would rather sort them than read the index in its order.
IN_INDEX_ORDER: Call = (Query(text("SELECT set_config('enable_sort', 'off', true)")), {})
"""Has the next statements of a transaction find neighbours in the index, however many siblings there are."""
_ARRANGED = Query(select(tasks.c.id, position).where(*_are_siblings(is_in_list=True)).order_by(*_first_to_last))


def neighbours(user_id: str, task_id: UUID, spot: Spot) -> Call:
    """Return the statement that returns a row with the positions of the neighbours that the task would have at a spot.

    A neighbour that is not there is None. There is no row if the anchor is not a sibling of the task.
    """
    anchor = {} if spot.anchor is None else {"anchor": spot.anchor}
    in_list = {"list_id": spot.list_id} if spot.is_in_list else {}
    return _NEIGHBOURS[spot.side, spot.is_in_list], {"user_id": user_id, "id": task_id, **anchor, **in_list}


def arranged(user_id: str, task_id: UUID, list_id: UUID | None) -> Call:
    """Return the statement that returns the id and position of each task of a list but this one, in their order."""
    return _ARRANGED, {"user_id": user_id, "id": task_id, "list_id": list_id}
