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

    If `has_parent`, the siblings are the subtasks of the task `parent_id`, or the tasks at the top of a list if that is
    None. Otherwise, the task keeps its parent, if it has one. If `is_in_list`, that list is `list_id`, or the inbox if
    that is None. Otherwise, it is the one that the task is in.
    """

    side: Literal["before", "after", "first", "last"]
    anchor: UUID | None = None
    is_in_list: bool = False
    list_id: UUID | None = None
    has_parent: bool = False
    parent_id: UUID | None = None


def index_of(spot: Spot, ids: Sequence[UUID]) -> int:
    """Return how many of the siblings with these ids, in their order, come before a spot."""
    if spot.anchor is not None:
        return ids.index(spot.anchor) + (spot.side == "after")
    return 0 if spot.side == "first" else len(ids)


_id = bindparam("id", type_=Uuid)
_task = tasks.alias("task")


def _of_task(name: str) -> ColumnElement[Any]:
    """Return a column of the task `id`."""
    return select(_task.c[name]).where(_task.c.user_id == accounts.owner, _task.c.id == _id).scalar_subquery()


def _at_the_top(list_id: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    # An index finds the first condition, but not the second one, which tells the inbox from a list with the id NIL.
    in_list = [list_or_nil == func.coalesce(list_id, NIL), tasks.c.list_id.is_not_distinct_from(list_id)]
    return [*in_list, tasks.c.parent_id.is_(None)]


_given_list: ColumnElement[Any] = bindparam("list_id", type_=Uuid)
_given_parent: ColumnElement[Any] = bindparam("parent_id", type_=Uuid)
_among = [tasks.c.user_id == accounts.owner, is_live, tasks.c.id != _id]
Kind = Literal["own_list", "list", "own_parent", "parent"]
_SIBLINGS: dict[Kind, list[ColumnElement[bool]]] = {
    "own_list": [*_among, *_at_the_top(_of_task("list_id"))],
    "list": [*_among, *_at_the_top(_given_list)],
    "own_parent": [*_among, tasks.c.parent_id == _of_task("parent_id")],
    "parent": [*_among, tasks.c.parent_id == _given_parent],
}
"""The conditions for the siblings of the task `id`, which is not one of them."""


_here = (position.element, tasks.c.id)
_first_to_last: tuple[SQLColumnExpression[object], ...] = _here
_last_to_first = tuple(one.desc() for one in _here)


def _neighbours(side: str, kind: Kind) -> Query:
    """Return the statement that returns the positions of both neighbours of a place, NULL for one that is not there.

    It returns no row if the anchor is not a sibling.
    """
    siblings = _SIBLINGS[kind]

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
    (side, kind): _neighbours(side, kind) for side in ("before", "after", "first", "last") for kind in _SIBLINGS
}
# PostgreSQL underestimates how many tasks a list has, and would rather sort them than read the index in its order.
IN_INDEX_ORDER: Call = (Query(text("SELECT set_config('enable_sort', 'off', true)")), {})
"""Has the next statements of a transaction find neighbours in the index, however many siblings there are."""
_ARRANGED = {
    kind: Query(select(tasks.c.id, position).where(*_SIBLINGS[kind]).order_by(*_first_to_last))
    for kind in ("list", "parent")
}


def neighbours(user_id: str, task_id: UUID, spot: Spot) -> list[Call]:
    """Return statements, each of which returns a row with the positions of the neighbours that the task would have.

    A neighbour that is not there is None. There is no row if the anchor is not a sibling of the task. The first
    statement is for a task that will be at the top, and the second one for one that will have a parent.
    """
    at_the_top: Kind = "list" if spot.is_in_list else "own_list"
    below: Kind = "parent" if spot.has_parent else "own_parent"
    given = {"anchor": spot.anchor, "list_id": spot.list_id, "parent_id": spot.parent_id}
    values = {"user_id": user_id, "id": task_id, **given}
    return [(_NEIGHBOURS[spot.side, kind], values) for kind in (at_the_top, below)]


def arranged(user_id: str, task_id: UUID, list_id: UUID | None, parent_id: UUID | None) -> Call:
    """Return the statement that returns the id and position of each task at a place but this one, in their order."""
    own = {"user_id": user_id, "id": task_id}
    if parent_id is None:
        return _ARRANGED["list"], {**own, "list_id": list_id}
    return _ARRANGED["parent"], {**own, "parent_id": parent_id}
