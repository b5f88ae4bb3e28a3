"""Epochs: which history of an account its revisions belong to.

A restored backup goes back to an earlier revision, and what follows are other changes than before. Sync tokens and
entity tags of before must not be valid for them.
"""

from collections.abc import AsyncGenerator
from secrets import randbelow

from sqlalchemy import BigInteger, Text, any_, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from storage.driver.database import Database
from storage.driver.query import Query
from storage.schema import accounts

PORTION = 1000
"""The most accounts that one statement changes."""
# A revision must not stand for two changes: more than a backup can lack, and less than wears out 63 bits.
LEAST_STEP = 1 << 20
_MOST_STEP = 1 << 31

_after = accounts.c.user_id > bindparam("after", type_=Text)
_next_users = select(accounts.c.user_id).where(_after).order_by(accounts.c.user_id)
_NEXT_USERS = Query(_next_users.limit(literal_column(str(PORTION))))
# Added, so that two users' epochs still differ. At random, because a backup can be restored more than once; and not by
# random(), which Citus does not allow here.
_step = bindparam("step", type_=BigInteger)
_changed = {"epoch": accounts.c.epoch + _step, "revision": accounts.c.revision + _step}
_picked = accounts.c.user_id == any_(bindparam("users", type_=ARRAY(Text)))
_CHANGE = Query(update(accounts).where(_picked).values(_changed))
ACROSS_USERS = {_NEXT_USERS.sql, _CHANGE.sql}
"""The statements that read or change rows of several users. They lock no other rows than the accounts."""


async def change_epochs(database: Database) -> AsyncGenerator[int]:
    """Give every account another epoch and revisions that it has not used. Yield the size of each portion."""
    after = ""
    while rows := await _NEXT_USERS.fetch_all(database.pipeline, after=after):
        users = [user_id for (user_id,) in rows]
        await _CHANGE.fetch_all(database.pipeline, users=users, step=LEAST_STEP + randbelow(_MOST_STEP))
        after = users[-1]
        yield len(users)
