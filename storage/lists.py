"""Lists: what a user's tasks are grouped into. `storage/list_deletions.py` deletes and restores them.

Lists are few and change seldom. So each write locks the account, reads the list, and writes the whole row, in a
transaction of two round trips.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import insert
from uuid6 import uuid7

from storage import accounts, idempotency
from storage.changes import NOTHING_WRITTEN, Head, head_columns
from storage.driver.database import Database
from storage.driver.query import Connection, Query, Row
from storage.driver.transaction import Call, Transaction
from storage.errors import Conflict, Gone, LimitReached, NotFound, PreconditionFailed
from storage.idempotency import Key
from storage.list_rows import StoredList, TodoList, columns, every_column
from storage.schema import accounts as table
from storage.schema import is_live_list, lists

MOST_LISTS = 500
Archived = Literal["exclude", "include", "only"]


class Written(NamedTuple):
    """The list after a call, whether the call created it, and whether an earlier one with the same key did."""

    list: TodoList
    is_new: bool
    is_replayed: bool = False


class Turn(NamedTuple):
    """What a write finds once it has the account's lock: `row` is the list, and `number` how many lists there are."""

    revision: int
    at: datetime
    row: StoredList | None
    number: int


_own = (lists.c.user_id == accounts.owner, lists.c.id == bindparam("id", type_=Uuid))
_GET = Query(select(*columns).where(*_own, is_live_list))
_FIND = Query(select(*every_column).where(*_own))
_COUNT = Query(select(func.count()).where(lists.c.user_id == accounts.owner, is_live_list))


def _list(chosen: ColumnElement[bool]) -> Query:
    """Return the statement, whose rows begin with the user's head. For a user without lists, all else is NULL."""
    own = lists.c.user_id == accounts.owner
    found = select(*columns).where(own, is_live_list, chosen).subquery("found")
    rows = select(*head_columns, *found.c).select_from(table.outerjoin(found, true()))
    return Query(rows.where(table.c.user_id == accounts.owner).order_by(found.c.position, found.c.id))


def _write() -> Query:
    new = insert(lists).values({one.name: bindparam(one.name, type_=one.type) for one in every_column})
    changed = {
        one.name: new.excluded[one.name] for one in every_column if one.name not in ("user_id", "id", "created_at")
    }
    return Query(new.on_conflict_do_update(index_elements=["user_id", "id"], set_=changed))


_LISTS = {"exclude": _list(~lists.c.archived), "include": _list(true()), "only": _list(lists.c.archived)}
_WRITE = _write()


async def list_lists(connection: Connection, user_id: str, archived: Archived) -> tuple[Head, Sequence[TodoList]]:
    """Return the user's head, and the lists in their order; `archived` says what becomes of archived ones."""
    rows = await _LISTS[archived].fetch_all(connection, user_id=user_id)
    head = Head._make(rows[0][: len(head_columns)]) if rows else NOTHING_WRITTEN
    found = [row[len(head_columns) :] for row in rows]
    return head, [TodoList._make(row) for row in found if row[0] is not None]


async def get_list(connection: Connection, user_id: str, list_id: UUID) -> TodoList:
    """Return the user's list. Raises NotFound."""
    row = await _GET.fetch_one(connection, user_id=user_id, id=list_id)
    if row is None:
        raise NotFound("list")
    return TodoList._make(row)


async def create_list(database: Database, user_id: str, values: Mapping[str, Any], key: Key | None) -> Written:
    """Store a new list, or return the one that an earlier request with this key created.

    `values` has a name, and may have values for other columns. Raises LimitReached, KeyReused, and Gone if the list has
    been deleted since.
    """
    # The library's own subclass cannot be written as JSON.
    new_id = UUID(int=uuid7().int)

    async def work(transaction: Transaction) -> Written:
        found = [idempotency.find(user_id, key)] if key else []
        turn, rows = await begin(transaction, user_id, find(user_id, new_id), *found)
        if key and (answer := idempotency.answer_of(rows[0], key)):
            return await _replay(transaction, user_id, UUID(answer["id"]))
        new = _new(turn, user_id, new_id, values)
        kept = [idempotency.keep(user_id, key, {"id": str(new_id)}, turn.at)] if key else []
        await transaction.commit(*writes(new), *kept)
        return Written(new.list, is_new=True)

    return await database.in_transaction(user_id, work)


async def put_list(
    database: Database,
    user_id: str,
    list_id: UUID,
    values: Mapping[str, Any],
    *,
    revisions: Sequence[int] | None,
    may_create: bool,
) -> Written:
    """Create the list, or replace these values. If none differs, the list keeps its revision.

    A list that is there must have a revision in `revisions`; None allows any. Raises PreconditionFailed if it has
    another, or if it is absent or deleted and `may_create` is false. Raises Conflict if it is deleted and `may_create`
    is true, and LimitReached.
    """

    def decide(turn: Turn) -> StoredList:
        if turn.row is not None and turn.row.is_live:
            return _with_values(accepted(turn, revisions), values, turn)
        if not may_create:
            raise PreconditionFailed("list", None)
        if turn.row is not None:
            raise Conflict("list")
        return _new(turn, user_id, list_id, values)

    return await _change(database, user_id, list_id, decide)


async def update_list(
    database: Database, user_id: str, list_id: UUID, values: Mapping[str, Any], revisions: Sequence[int] | None
) -> TodoList:
    """Update the list and return it. If no value differs, the list keeps its revision.

    The list is updated only if its revision is in `revisions`; None allows any. Raises NotFound and PreconditionFailed.
    """

    def decide(turn: Turn) -> StoredList:
        return _with_values(accepted(turn, revisions), values, turn)

    return (await _change(database, user_id, list_id, decide)).list


def find(user_id: str, list_id: UUID) -> Call:
    """Return the statement that finds a list, deleted or not."""
    return _FIND, {"user_id": user_id, "id": list_id}


async def begin(
    transaction: Transaction, user_id: str, found: Call, *calls: Call
) -> tuple[Turn, Sequence[Sequence[Row]]]:
    """Lock the account and find a list, in one round trip with other statements, whose rows are returned too.

    An account is opened if there is none to lock. It stays only if something is written.
    """
    own = {"user_id": user_id}
    first = [(accounts.OPEN, own), (accounts.LOCK, own), found, (_COUNT, own)]
    opened, ((revision, at),), there, ((number,),), *rows = await transaction.run(*first, *calls)
    row = StoredList.of(there[0]) if there else None
    return Turn(revision - len(opened), at, row, number), rows


def writes(row: StoredList) -> list[Call]:
    """Return the statements that write a list and set the user's revision to its own."""
    return [write(row), accounts.set_revision(row.list.user_id, row.list.revision)]


def write(row: StoredList) -> Call:
    """Return the statement that writes a list."""
    return _WRITE, row.list._asdict() | row.deletion


def accepted(turn: Turn, revisions: Sequence[int] | None) -> StoredList:
    """Return the list if it is live and has one of these revisions. Raises NotFound and PreconditionFailed."""
    if turn.row is None or not turn.row.is_live:
        raise NotFound("list")
    if revisions is not None and turn.row.list.revision not in revisions:
        raise PreconditionFailed("list", turn.row.list)
    return turn.row


def check_number(number: int) -> None:
    """Raise LimitReached if a user with so many lists cannot have another."""
    if number >= MOST_LISTS:
        raise LimitReached("list", MOST_LISTS)


async def _change(database: Database, user_id: str, list_id: UUID, decide: Callable[[Turn], StoredList]) -> Written:
    """Write the list that `decide` returns, unless it is the one that is there."""

    async def work(transaction: Transaction) -> Written:
        turn, _ = await begin(transaction, user_id, find(user_id, list_id))
        new = decide(turn)
        if new is not turn.row:
            await transaction.commit(*writes(new))
        return Written(new.list, turn.row is None)

    return await database.in_transaction(user_id, work)


async def _replay(transaction: Transaction, user_id: str, list_id: UUID) -> Written:
    (rows,) = await transaction.run((_GET, {"user_id": user_id, "id": list_id}))
    if not rows:
        raise Gone("list")
    return Written(TodoList._make(rows[0]), is_new=True, is_replayed=True)


def _new(turn: Turn, user_id: str, list_id: UUID, values: Mapping[str, Any]) -> StoredList:
    """Return a new list, which comes last unless `values` has a position. Raises LimitReached."""
    check_number(turn.number)
    revision = turn.revision + 1
    defaults = {"color": None, "archived": False, "position": f"m{revision:012x}"}
    stamps = {"created_at": turn.at, "updated_at": turn.at, "revision": revision}
    return StoredList(TodoList(id=list_id, user_id=user_id, **{**defaults, **values, **stamps}))


def _with_values(row: StoredList, values: Mapping[str, Any], turn: Turn) -> StoredList:
    """Return the row with these values, or the same row if it has them already."""
    if all(getattr(row.list, name) == value for name, value in values.items()):
        return row
    return StoredList(row.list.touched(turn.revision + 1, turn.at)._replace(**values))
