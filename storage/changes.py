"""Changes: what has happened to a user's tasks since a client last asked."""

from typing import Any, NamedTuple

from sqlalchemy import select

from storage import accounts
from storage.driver.query import Connection, Query
from storage.schema import accounts as table


class Head(NamedTuple):
    """Where a user's changes are now: the revision and epoch of the account, and the greatest revision purged.

    All are 0 for a user who has never written.
    """

    revision: int
    epoch: int
    purged: int


NOTHING_WRITTEN = Head(0, 0, 0)
_HEAD = Query(select(*(table.c[name] for name in Head._fields)).where(table.c.user_id == accounts.owner))


async def get_head(connection: Connection, user_id: str) -> Head:
    """Return the user's head, at the cost of one primary-key look-up."""
    row: Any = await _HEAD.fetch_one(connection, user_id=user_id)
    return NOTHING_WRITTEN if row is None else Head._make(row)
