"""The revision of an account's first write: 1, until a backup is restored.

Accounts that were opened after the backup are lost. If they began at 1 again, entity tags of the lost history would
become valid for what is written now.
"""

import time

from psycopg import sql

from storage.administration.connection import LOCK, connect, failing_as

_LOCK_TIMEOUT = "5s"
_SET = sql.SQL("ALTER TABLE accounts ALTER COLUMN revision SET DEFAULT {}")


def raise_first_revision(url: str) -> None:
    """Have accounts begin at a revision that none has had yet: the milliseconds since 1970.

    Raises Unavailable if the database does not respond, or if another transaction has locked the accounts for long, and
    UnsuitableDatabase if the role does not own the table.
    """
    with failing_as("The first revision of new accounts cannot be set"), connect(url, autocommit=False) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
        connection.execute(_SET.format(sql.Literal(time.time_ns() // 1_000_000)))
