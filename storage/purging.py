"""Purging: deletes tombstones and idempotency keys when their retention is over, in portions.

The ids of purged tasks and lists, and purged keys, can be used again.
"""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    DateTime,
    Integer,
    Interval,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    select,
    tuple_,
    update,
)

from storage import accounts
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Transaction
from storage.errors import Unavailable
from storage.schema import accounts as accounts_table
from storage.schema import idempotency_keys, lists, tasks

PORTION = 1000
"""The most rows that one transaction deletes, and that one query finds."""

_before = bindparam("before", type_=DateTime(timezone=True))
_portion = literal_column(str(PORTION), Integer)
# By the database's clock, which has set the times of the rows.
_age = cast(bindparam("age", type_=Interval), Interval)
_CUTOFF = Query(select(func.clock_timestamp(type_=DateTime(timezone=True)) - _age))


def _next_users(rows: Table) -> Query:
    """Return the statement that finds the next users with tombstones in a table, and whether the oldest one is due.

    It leaves out no user whose tombstones are not due, so that a portion of users is always found quickly.
    """
    is_due = func.min(rows.c.deleted_at) < _before
    users = select(rows.c.user_id, is_due).where(rows.c.deleted_at.is_not(None))
    after = rows.c.user_id > bindparam("after", type_=Text)
    return Query(users.where(after).group_by(rows.c.user_id).order_by(rows.c.user_id).limit(_portion))


def _purge_tombstones(rows: Table) -> Query:
    """Return the statement that deletes a portion of a user's tombstones in a table.

    It notes the greatest revision among them, and returns how many it has deleted. The caller has locked the account.
    """
    due = select(rows.c.id).where(rows.c.user_id == accounts.owner, rows.c.deleted_at < _before)
    due = due.order_by(rows.c.deleted_at, rows.c.id).limit(_portion)
    old = due.cte("old")
    deleted = delete(rows).where(rows.c.user_id == accounts.owner, rows.c.id == old.c.id)
    gone = deleted.returning(rows.c.revision).cte("gone")
    greatest = func.greatest(accounts_table.c.purged, select(func.max(gone.c.revision)).scalar_subquery())
    account = (accounts_table.c.user_id == accounts.owner, exists(select(literal_column("1")).select_from(gone)))
    noted = update(accounts_table).where(*account).values(purged=greatest).cte("noted")
    return Query(select(func.count()).select_from(gone).add_cte(noted))


def _purge_keys() -> Query:
    """Return the statement that deletes a portion of the keys of all users, and returns a row for each."""
    key = tuple_(idempotency_keys.c.user_id, idempotency_keys.c.key)
    due = select(idempotency_keys.c.user_id, idempotency_keys.c.key).where(idempotency_keys.c.created_at < _before)
    due = due.order_by(idempotency_keys.c.created_at).limit(_portion)
    return Query(delete(idempotency_keys).where(key.in_(due)).returning(idempotency_keys.c.user_id))


class _Purge(NamedTuple):
    """The statements that purge a table."""

    next_users: Query
    tombstones: Query


# Tasks first: those that went with a list are purged before it, or at the same time.
_PURGES = [_Purge(_next_users(rows), _purge_tombstones(rows)) for rows in (tasks, lists)]
_PURGE_KEYS = _purge_keys()
ACROSS_USERS = {*(purge.next_users.sql for purge in _PURGES), _PURGE_KEYS.sql}
"""The statements that read or change rows of several users. They lock no account."""


async def purge_trash(database: Database, age: timedelta) -> AsyncGenerator[int]:
    """Delete the tasks and lists deleted longer than `age` ago, erased or not. Yield the size of each portion.

    Users whose accounts stay locked are left out. Raises Unavailable after all others, or if nothing responds.
    """
    failure = None
    for purge in _PURGES:
        try:
            async for size in _purge_table(database, purge, age):
                yield size
        except Unavailable as error:
            # Nothing responds, unless there is a cut-off.
            await _cutoff(database, age)
            failure = error
    if failure:
        raise failure


async def _purge_table(database: Database, purge: _Purge, age: timedelta) -> AsyncGenerator[int]:
    """Do what `purge_trash` does in one table."""
    before, after, failure = await _cutoff(database, age), "", None
    while users := await purge.next_users.fetch_all(database.pipeline, before=before, after=after):
        for user_id, is_due in users:
            size = PORTION if is_due else 0
            while size == PORTION:
                try:
                    size = await _purge_portion(database, purge, user_id, before)
                except Unavailable as error:
                    # The account is locked, or its node is away. Others do not wait for that, if the database responds.
                    await _cutoff(database, age)
                    size, failure = 0, error
                yield size
        after = users[-1][0]
        yield 0
    if failure:
        raise failure


async def purge_keys(database: Database, age: timedelta) -> AsyncGenerator[int]:
    """Delete the idempotency keys that are older than `age`. Yield the size of each portion."""
    before, size = await _cutoff(database, age), PORTION
    while size == PORTION:
        size = len(await _PURGE_KEYS.fetch_all(database.pipeline, before=before))
        yield size


async def _cutoff(database: Database, age: timedelta) -> datetime:
    row: Any = await _CUTOFF.fetch_one(database.pipeline, age=age)
    return row[0]  # type: ignore[no-any-return]


async def _purge_portion(database: Database, purge: _Purge, user_id: str, before: datetime) -> int:
    """Delete a portion of the user's tombstones, and return its size."""
    user = {"user_id": user_id}

    async def work(transaction: Transaction) -> int:
        _, rows = await transaction.commit((accounts.LOCK, user), (purge.tombstones, user | {"before": before}))
        return int(rows[0][0])

    return await database.in_transaction(user_id, work)
