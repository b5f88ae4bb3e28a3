"""Accounts: one row per user, which holds the user's revision and serialises the user's writes by its lock.

Every write increments the revision and stamps it on the rows that it changes, so an unchanged revision means that
nothing has changed.
"""

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from storage.driver.query import Query
from storage.driver.transaction import Call
from storage.schema import accounts

owner = bindparam("user_id", type_=Text)

# A user who has never written anything has no account and is at revision 0.
revision = func.coalesce(
    select(accounts.c.revision).where(accounts.c.user_id == owner).scalar_subquery(), literal_column("0", BigInteger)
).label("revision")

lock = select(accounts.c.user_id).where(accounts.c.user_id == owner).with_for_update().cte("account")
"""Every write to existing rows locks the owner's account first: without one fixed order, two writes could deadlock."""


OPEN = Query(insert(accounts).values(user_id=owner).on_conflict_do_nothing().returning(literal_column("1")))
"""Creates the account of a user who has none, at the revision of its first write, and returns a row if it has."""

_now = func.clock_timestamp(type_=DateTime(timezone=True)).label("at")
_locked = select(accounts.c.revision).where(accounts.c.user_id == owner).with_for_update().cte("locked")
LOCK = Query(select(_locked.c.revision, _now))
"""Locks the user's account until the transaction ends, and returns its revision and the time, taken under the lock."""
_SET_REVISION = Query(
    update(accounts).where(accounts.c.user_id == owner).values(revision=bindparam("revision", type_=BigInteger))
)

stamp = select(_now).select_from(lock).cte("stamp")
"""For writes that take no revision: locks the owner's account, and has the time as `at`, taken under the lock."""


def set_revision(user_id: str, revision: int) -> Call:
    """Return the statement that sets the user's revision, for a transaction that has the account's lock."""
    return _SET_REVISION, {"user_id": user_id, "revision": revision}


def bump_or_open(writes: int = 1) -> CTE:
    """Return a CTE that takes revisions for one or two writes, and creates the account if there is none.

    It returns the first of these revisions, and the time as `at`, taken under the account's lock. For two writes, the
    account must be there: a new one is at the revision of its first write.
    """
    return _bumped(insert(accounts).values(user_id=owner), writes)


def bump_or_open_if(condition: ColumnElement[bool], writes: int = 1) -> CTE:
    """Return a CTE that does what `bump_or_open` does if `condition` holds; otherwise it returns no row."""
    return _bumped(insert(accounts).from_select(["user_id"], select(owner).where(condition)), writes)


def bump_if(condition: ColumnElement[bool], writes: int = 1) -> CTE:
    """Return a CTE that takes revisions for one or two writes if `condition` holds.

    It returns what `bump_or_open` returns, or no row if the condition does not hold.
    """
    bumped = update(accounts).where(accounts.c.user_id == owner, condition)
    bumped = bumped.values(revision=accounts.c.revision + literal_column(str(writes)))
    return _stamped(bumped.returning(accounts.c.revision).cte("bump"), writes)


def _bumped(opened: Insert, writes: int) -> CTE:
    """Return a CTE that inserts the account or, if it is there, takes revisions."""
    bumped = opened.on_conflict_do_update(
        index_elements=["user_id"], set_={"revision": accounts.c.revision + literal_column(str(writes))}
    )
    return _stamped(bumped.returning(accounts.c.revision).cte("bump"), writes)


def _stamped(bump: CTE, writes: int) -> CTE:
    """Return a CTE that adds the time to the first of the new revisions.

    PostgreSQL does not inline it, because the time is volatile. So it is read after the wait for the account's lock.
    Citus allows it here, but not in RETURNING.
    """
    first = bump.c.revision if writes == 1 else (bump.c.revision - literal_column("1")).label("revision")
    return select(first, _now).cte("stamp")
