"""Recomputing: brings the instants of all users' tasks up to date after the rules of time zones have changed.

A task whose instant changes takes a revision, so that clients learn of it. All others keep theirs, and so do deleted
tasks, of which clients see no instant.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Integer,
    Text,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts, due, instants
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from storage.schema import tasks

PORTION = 1000
"""The most tasks that one query finds, and that one transaction changes."""

_wall = [tasks.c[name] for name in due.MEMBERS]
_found = [tasks.c.id, *_wall, tasks.c.due_at]
_is_zoned = tasks.c.time_zone.is_not(None)
_ids = bindparam("ids", type_=ARRAY(Uuid))


def _next() -> Query:
    place = tuple_(bindparam("after_user", type_=Text), bindparam("after_id", type_=Uuid))
    rows = select(tasks.c.user_id, *_found).where(_is_zoned, tuple_(tasks.c.user_id, tasks.c.id) > place)
    return Query(rows.order_by(tasks.c.user_id, tasks.c.id).limit(literal_column(str(PORTION), Integer)))


def _write() -> Query:
    pairs = func.unnest(_ids, bindparam("instants", type_=ARRAY(DateTime(timezone=True))))
    instant = column("due_at", DateTime(timezone=True))
    new = pairs.table_valued(column("id", Uuid), instant, with_ordinality="place").render_derived("new")
    at = func.greatest(bindparam("at", type_=DateTime(timezone=True)), tasks.c.updated_at)
    values = {"revision": bindparam("revision", type_=BigInteger) + new.c.place, "updated_at": at}
    own = (tasks.c.user_id == accounts.owner, tasks.c.id == new.c.id)
    return Query(update(tasks).where(*own).values(due_at=new.c.due_at, **values))


_NEXT = _next()
_FIND = Query(
    select(*_found, tasks.c.deleted_at)
    .where(tasks.c.user_id == accounts.owner, tasks.c.id == any_(_ids))
    .order_by(tasks.c.id)
)
_WRITE = _write()
ACROSS_USERS = {_NEXT.sql}
"""The statement that reads rows of several users. It locks nothing."""


async def recompute(database: Database) -> AsyncGenerator[int]:
    """Set `due_at` of every task for which it is another now. Yield how many that is in each portion."""
    place: dict[str, Any] = {"after_user": "", "after_id": UUID(int=0)}
    while rows := await _NEXT.fetch_all(database.pipeline, **place):
        stale: dict[str, list[UUID]] = {}
        for user_id, *task in rows:
            if instants.changes([tuple(task)]):
                stale.setdefault(user_id, []).append(task[0])
        for user_id, ids in stale.items():
            yield await _recompute(database, user_id, ids)
        place = {"after_user": rows[-1][0], "after_id": rows[-1][1]}


async def _recompute(database: Database, user_id: str, ids: Sequence[UUID]) -> int:
    """Set `due_at` of these tasks of a user, as they are under the account's lock. Return how many change."""
    own = {"user_id": user_id}

    async def work(transaction: Transaction) -> int:
        ((revision, at),), found = await transaction.run((accounts.LOCK, own), (_FIND, own | {"ids": ids}))
        live, deleted = (
            instants.changes([row[:-1] for row in found if (row[-1] is None) == is_live]) for is_live in (True, False)
        )
        values = {"ids": [*live], "instants": [*live.values()], "revision": revision, "at": at}
        writes = [(_WRITE, own | values), *instants.setting(user_id, deleted)]
        await transaction.commit(accounts.set_revision(user_id, revision + len(live)), *writes)
        return len(live) + len(deleted)

    return await database.in_transaction(user_id, work)
