"""Leases: one process at a time holds a job's lease, which expires by itself if that process dies.

All times are the database's. A lease is known by the time at which it expires: a process that renews it names that
time, and has lost the lease if another process has taken it meanwhile. On a Citus, the table stays on the coordinator.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import DateTime, Interval, Text, bindparam, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.driver.query import Connection, Query
from storage.schema import leases

_job = bindparam("job", type_=Text)
_duration = cast(bindparam("duration", type_=Interval), Interval)
_longest = cast(bindparam("longest", type_=Interval), Interval)
_expires_at = func.clock_timestamp(type_=DateTime(timezone=True)) + _duration
_new = insert(leases).values(job=_job, expires_at=_expires_at)
_now = _new.excluded.expires_at - _duration
_TAKE = Query(
    _new.on_conflict_do_update(
        index_elements=["job"],
        set_={"expires_at": _new.excluded.expires_at},
        where=or_(leases.c.expires_at <= _now, leases.c.expires_at > _now + _longest),
    ).returning(leases.c.expires_at)
)
_RENEW = Query(
    update(leases)
    .where(leases.c.job == _job, leases.c.expires_at == bindparam("held", type_=DateTime(timezone=True)))
    .values(expires_at=_expires_at)
    .returning(leases.c.expires_at)
)
_REMAINING = Query(
    select(leases.c.expires_at - func.clock_timestamp(type_=DateTime(timezone=True))).where(leases.c.job == _job)
)


class Lease(NamedTuple):
    """A job's lease, held by this process until `expires_at`."""

    job: str
    expires_at: datetime


async def take(connection: Connection, job: str, duration: timedelta, longest: timedelta) -> Lease | None:
    """Return the job's lease, None if it has not expired yet.

    One that expires later than `longest` from now was taken while the database's clock was ahead, and counts as expired
    too.
    """
    row = await _TAKE.fetch_one(connection, job=job, duration=duration, longest=longest)
    return None if row is None else Lease(job, row[0])


async def renew(connection: Connection, lease: Lease, duration: timedelta) -> Lease | None:
    """Return the lease, which expires after `duration` from now, None if another process has taken it."""
    row = await _RENEW.fetch_one(connection, job=lease.job, held=lease.expires_at, duration=duration)
    return None if row is None else Lease(lease.job, row[0])


async def remaining(connection: Connection, job: str) -> timedelta:
    """Return the time until the job's lease expires; it is not positive if the lease can be taken."""
    row = await _REMAINING.fetch_one(connection, job=job)
    return timedelta() if row is None else timedelta(seconds=row[0].total_seconds())
