"""Relatives: the tasks that a write of a task with subtasks or a parent depends on, read under the account's lock.

A single statement that waits for the account's lock does not see the tasks that are inserted meanwhile. So these writes
are transactions, which lock the account in a statement of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Uuid, and_, any_, bindparam, case, column, func, or_, select, union, update
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts, list_of_task, new_positions, positions, stored_rows
from storage.driver.query import Query, Row
from storage.driver.transaction import Call, Transaction
from storage.family import Place, resettled
from storage.rows import Rows, Stamp
from storage.schema import is_in_trash, is_live, tasks
from storage.tasks import ZONE

_ids, _parents = (bindparam(name, type_=ARRAY(Uuid)) for name in ("ids", "parents"))
_place = (tasks.c.id, tasks.c.parent_id, tasks.c.list_id, is_live.label("is_live"))
_kin = (*_place, tasks.c.deletion_id)


def _above(first: ColumnElement[bool]) -> CTE:
    """Return a CTE with some tasks and their ancestors."""
    own = tasks.c.user_id == accounts.owner
    above = select(*_kin).where(own, first).cte("above", recursive=True)
    return above.union(select(*_kin).join(above, tasks.c.id == above.c.parent_id).where(own))


def _below() -> CTE:
    """Return a CTE with the tasks `ids` and their descendants, live ones and those that were deleted with them."""
    own = tasks.c.user_id == accounts.owner
    below = select(*_kin).where(own, tasks.c.id == any_(_ids)).cte("below", recursive=True)
    belongs = or_(is_live, and_(tasks.c.erased_at.is_(None), tasks.c.deletion_id == below.c.deletion_id))
    return below.union(select(*_kin).join(below, tasks.c.parent_id == below.c.id).where(own, belongs))


def _find() -> Query:
    above, below = _above(or_(tasks.c.id == any_(_ids), tasks.c.id == any_(_parents))), _below()
    ids = union(select(above.c.id), select(below.c.id))
    rows = select(*stored_rows.read_columns)
    return Query(rows.where(tasks.c.user_id == accounts.owner, tasks.c.id.in_(ids)))


def _coming() -> CTE:
    """Return a CTE with the tasks `ids` that have a parent, and those of a deletion that are below them."""
    own = tasks.c.user_id == accounts.owner
    first = select(*_kin).where(own, tasks.c.id == any_(_ids), tasks.c.parent_id.is_not(None), tasks.c.is_parent)
    coming = first.cte("coming", recursive=True)
    of_deletion = is_in_trash, tasks.c.deletion_id == bindparam("deletion", type_=Uuid)
    return coming.union(select(*_kin).join(coming, tasks.c.parent_id == coming.c.id).where(own, *of_deletion))


def _places() -> Query:
    above, coming = _above(and_(tasks.c.id == any_(_ids), tasks.c.parent_id.is_not(None))), _coming()
    return Query(union(*(select(*(family.c[column.name] for column in _place)) for family in (above, coming))))


def _settle() -> Query:
    names = ("ids", "parents", "lists")
    arrays = func.unnest(*(bindparam(name, type_=ARRAY(Uuid)) for name in names))
    new = arrays.table_valued(column("id", Uuid), column("parent_id", Uuid), column("list_id", Uuid))
    row = new.render_derived("new").c
    chosen = update(tasks).where(tasks.c.user_id == accounts.owner, tasks.c.id == row.id)
    place = case((row.parent_id.is_(None), new_positions.first(tasks.c.revision)), else_=tasks.c.position)
    return Query(chosen.values(parent_id=row.parent_id, list_id=row.list_id, position=place))


_FIND, _PLACES, _SETTLE = _find(), _places(), _settle()


class Turn(NamedTuple):
    """What a write finds once it has the account's lock: the stamp of its first change, and the rows."""

    stamp: Stamp
    rows: Rows

    @property
    def revision(self) -> int:
        """The user's revision before the write."""
        return self.stamp.revision - 1


class Within:
    """Runs single statements in a transaction, for functions that take a `Connection`."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def run(self, query: Query, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """Execute the query with these parameters and return all its rows. Raises psycopg.Error."""
        (rows,) = await self._transaction.run((query, parameters))
        return rows


async def begin(
    transaction: Transaction, user_id: str, ids: Sequence[UUID], parents: Sequence[UUID], *calls: Call
) -> tuple[Turn, Sequence[Sequence[Row]]]:
    """Lock the account and find tasks, parents and their relatives, in one round trip with other statements.

    Return also the rows of these. A user without an account has no tasks.
    """
    own = {"user_id": user_id}
    first = [(accounts.LOCK, own), find(user_id, ids, parents), (ZONE, own), (list_of_task.IDS, own)]
    locked, found, ((zone,),), there, *rows = await transaction.run(*first, *calls)
    revision, at = locked[0] if locked else (0, datetime.now(UTC))
    lists_there = frozenset(list_id for (list_id,) in there)
    stamp = Stamp(user_id, revision + 1, at, zone, lists_there, positions.last)
    return Turn(stamp, stored_rows.by_id(found)), rows


async def read(transaction: Transaction, user_id: str, ids: Sequence[UUID], parents: Sequence[UUID] = ()) -> Rows:
    """Return tasks, their relatives, and parents with their ancestors. Without any, nothing is sent."""
    if not ids and not parents:
        return Rows()
    (found,) = await transaction.run(find(user_id, ids, parents))
    return stored_rows.by_id(found)


def find(user_id: str, ids: Sequence[UUID], parents: Sequence[UUID]) -> Call:
    """Return the statement that finds tasks, their relatives, and parents with their ancestors."""
    return _FIND, {"user_id": user_id, "ids": [*ids], "parents": [*parents]}


async def settle(
    transaction: Transaction, user_id: str, restored: Sequence[UUID], deletion_id: UUID | None = None
) -> None:
    """Move restored tasks that cannot be where they were. It takes no revision besides those of their restoration.

    If there is a deletion, what is in the trash with it is restored by later requests.
    """
    (rows,) = await transaction.run((_PLACES, {"user_id": user_id, "ids": [*restored], "deletion": deletion_id}))
    moved = resettled({row[0]: Place._make(row) for row in rows}, set(restored))
    if moved:
        ids, parents, lists, _ = (list(values) for values in zip(*moved, strict=True))
        await transaction.run((_SETTLE, {"user_id": user_id, "ids": ids, "parents": parents, "lists": lists}))
