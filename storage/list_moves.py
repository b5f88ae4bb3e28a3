"""Moves of lists: a list gets another place among the user's lists, in two round trips."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from storage import accounts, positions
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from storage.errors import NoSuchAnchor
from storage.list_rows import StoredList, TodoList, every_column
from storage.lists import Turn, accepted, begin, find, write, writes
from storage.schema import is_live_list, lists
from storage.siblings import Spot, index_of

_others = (lists.c.user_id == accounts.owner, is_live_list, lists.c.id != bindparam("id", type_=Uuid))
_ARRANGED = Query(select(*every_column).where(*_others).order_by(lists.c.position, lists.c.id))


async def move_list(
    database: Database, user_id: str, list_id: UUID, spot: Spot, revisions: Sequence[int] | None
) -> TodoList:
    """Move the list to a spot, and return it. A list that is there already keeps its revision.

    If there is no position between its new neighbours, some of the other lists get new ones, each with a revision of
    its own. The list is moved only if its revision is in `revisions`; None allows any. Raises NotFound,
    PreconditionFailed, NoSuchAnchor, and what `Database.in_transaction` raises.
    """

    async def work(transaction: Transaction) -> TodoList:
        arranged = (_ARRANGED, {"user_id": user_id, "id": list_id})
        turn, (rows,) = await begin(transaction, user_id, find(user_id, list_id), arranged)
        own, others = accepted(turn, revisions).list, [StoredList.of(row).list for row in rows]
        if spot.anchor is not None and spot.anchor not in (one.id for one in others):
            raise NoSuchAnchor("list")
        *siblings, own = _moved(own, others, index_of(spot, [one.id for one in others]), turn)
        if own.revision > turn.revision:
            await transaction.commit(*(write(StoredList(one)) for one in siblings), *writes(StoredList(own)))
        return own

    return await database.in_transaction(user_id, work)


def _moved(own: TodoList, others: Sequence[TodoList], place: int, turn: Turn) -> Iterator[TodoList]:
    """Yield the lists that change when a list comes to a place among the others, and last that list."""
    arranged = [one.position for one in others]
    low, high = arranged[place - 1] if place else None, arranged[place] if place < len(arranged) else None
    if (low is None or low < own.position) and (high is None or own.position < high):
        yield own
        return
    found = positions.placed(low, high, turn.revision + 1)
    start, spaced = (place, [found]) if found else positions.with_room(arranged, place, turn.revision + 1)
    new, revision = spaced.pop(place - start), turn.revision
    for one, position in zip(others[start:], spaced, strict=False):
        if position != one.position:
            revision += 1
            yield one.touched(revision, turn.at)._replace(position=position)
    yield own.touched(revision + 1, turn.at)._replace(position=new)
