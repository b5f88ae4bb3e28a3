"""Preferences: how a user wants days, weeks and floating times to be reckoned, and where new tasks come.

They have a revision of the user's sequence. A user who has written none has the default ones, at revision 0.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from storage import accounts
from storage.changes import NOTHING_WRITTEN, Head, head_columns
from storage.clocks import Clock
from storage.driver.database import Database
from storage.driver.query import Connection, Query, Row
from storage.driver.transaction import Transaction
from storage.errors import PreconditionFailed
from storage.schema import accounts as accounts_table
from storage.schema import preferences


class Preferences(NamedTuple):
    """A user's preferences. Without a `time_zone`, UTC is meant. `new_tasks` is first or last."""

    time_zone: str | None
    week_start: str
    new_tasks: str
    revision: int


class Reading(NamedTuple):
    """A user's clock, and the head at which the preferences were read."""

    head: Head
    clock: Clock


DEFAULTS = Preferences(time_zone=None, week_start="monday", new_tasks="last", revision=0)
_columns = [preferences.c[name] for name in Preferences._fields]
_GET = Query(select(*_columns).where(preferences.c.user_id == accounts.owner))


def _read() -> Query:
    both = accounts_table.outerjoin(preferences, preferences.c.user_id == accounts.owner)
    return Query(select(*head_columns, *_columns).select_from(both).where(accounts_table.c.user_id == accounts.owner))


def _write() -> Query:
    new = insert(preferences).values(
        user_id=accounts.owner, **{one.name: bindparam(one.name, type_=one.type) for one in _columns}
    )
    changed = {column.name: new.excluded[column.name] for column in _columns}
    return Query(new.on_conflict_do_update(index_elements=["user_id"], set_=changed))


_READ = _read()
_WRITE = _write()


async def get_preferences(connection: Connection, user_id: str) -> Preferences:
    """Return the user's preferences."""
    return _preferences(await _GET.fetch_one(connection, user_id=user_id))


async def read_clock(connection: Connection, user_id: str, time_zone: str | None) -> Reading:
    """Return the user's clock now, in this zone or else in the preferred one."""
    row = await _READ.fetch_one(connection, user_id=user_id)
    size = len(head_columns)
    head = Head._make(row[:size]) if row else NOTHING_WRITTEN
    preferred = _preferences(row[size:] if row and row[-1] is not None else None)
    now = datetime.now(UTC).replace(microsecond=0)
    return Reading(head, Clock(time_zone or preferred.time_zone or "UTC", preferred.week_start, now))


async def update_preferences(
    database: Database, user_id: str, values: Mapping[str, Any], revisions: Sequence[int] | None
) -> Preferences:
    """Update the preferences and return them. If no value differs, they keep their revision.

    They are updated only if their revision is in `revisions`; None allows any. Raises PreconditionFailed, and what
    `Database.in_transaction` raises.
    """
    own = {"user_id": user_id}

    async def work(transaction: Transaction) -> Preferences:
        opened, ((revision, _),), found = await transaction.run((accounts.OPEN, own), (accounts.LOCK, own), (_GET, own))
        current = _preferences(found[0] if found else None)
        if revisions is not None and current.revision not in revisions:
            raise PreconditionFailed("preferences", current)
        if current == (new := current._replace(**values)):
            return current
        new = new._replace(revision=revision - len(opened) + 1)
        written = (_WRITE, own | new._asdict())
        await transaction.commit(accounts.set_revision(user_id, new.revision), written)
        return new

    return await database.in_transaction(user_id, work)


def _preferences(row: Row | None) -> Preferences:
    return DEFAULTS if row is None else Preferences._make(row)
