"""The revision of an account's first write: 1, until a backup is restored.

Accounts that were opened after the backup are lost. If they began at 1 again, entity tags of the lost history would
become valid for what is written now.
"""

import time

import psycopg
from psycopg import sql

from storage.administration.connection import LOCK, connect, failing_as
from storage.errors import UnsuitableDatabase

# Requests wait while this does. So it waits shortly, and often.
_LOCK_TIMEOUT = "200ms"
_ATTEMPTS = 60
_PAUSE_SECONDS = 0.5
_SET = sql.SQL("ALTER TABLE accounts ALTER COLUMN revision SET DEFAULT {}")


def raise_first_revision(url: str) -> None:
    """Have accounts begin at a revision that none has had yet: the milliseconds since 1970.

    Raises Unavailable if the database does not respond, and UnsuitableDatabase if another transaction locks an account
    for long, or if the role does not own the table.
    """
    with failing_as("The first revision of new accounts cannot be set"):
        for _ in range(_ATTEMPTS):
            try:
                return _set(url, time.time_ns() // 1_000_000)
            except psycopg.errors.LockNotAvailable:
                time.sleep(_PAUSE_SECONDS)
    raise UnsuitableDatabase("Another transaction has locked an account for too long: try again when it has ended.")


def _set(url: str, revision: int) -> None:
    with connect(url, autocommit=False) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
        connection.execute(_SET.format(sql.Literal(revision)))
