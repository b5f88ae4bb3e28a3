"""Locks on names, held by a transaction.

The server releases them when the transaction ends, even if the client has disappeared. A lock held by a
session would outlive its owner behind a connection pooler in transaction mode.
"""

from zlib import crc32

from storage.driver.connection import ExclusiveConnection

# PostgreSQL keeps locks with two keys apart from those with one, such as that of the migrations.
_FIRST_KEY = 7_261_042
# Without this limit, a client that is cut off silently would keep the lock until TCP gives up, hours later.
_LONGEST = "20s"
_TRY = """
    SELECT pg_try_advisory_xact_lock(%s::integer, %s::integer),
        set_config('idle_in_transaction_session_timeout', %s, true),
        set_config('statement_timeout', %s, true)
"""


async def try_lock(connection: ExclusiveConnection, name: str) -> bool:
    """Lock `name` until the transaction ends and return True; return False if another transaction holds the lock.

    The server ends the transaction early if a statement, or the pause between two, takes longer than 20 seconds.
    Raises psycopg.Error.
    """
    values = (_FIRST_KEY, _second_key(name), _LONGEST, _LONGEST)
    row = await (await connection.execute(_TRY, values)).fetchone()
    return row is not None and row[0] is True


def _second_key(name: str) -> int:
    """Return the CRC-32 of the name, moved into the range of PostgreSQL's `integer`.

    The key must be the same in every release: two releases that run at the same time must exclude each other. Two names
    with the same key exclude each other needlessly, which does no harm.
    """
    return crc32(name.encode()) - 2**31
