"""The instants at which tasks are due, brought up to date where what they follow from has changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Uuid, any_, bindparam, column, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from storage import accounts, due
from storage.driver.query import Query, Row
from storage.driver.transaction import Call, Transaction
from storage.schema import tasks

_ids = bindparam("ids", type_=ARRAY(Uuid))
_found = [tasks.c.id, *(tasks.c[name] for name in due.MEMBERS), tasks.c.due_at]
_FIND = Query(select(*_found).where(tasks.c.user_id == accounts.owner, tasks.c.id == any_(_ids)))


def _write() -> Query:
    pairs = func.unnest(_ids, bindparam("instants", type_=ARRAY(DateTime(timezone=True))))
    new = pairs.table_valued(column("id", Uuid), column("due_at", DateTime(timezone=True))).render_derived("new")
    own = (tasks.c.user_id == accounts.owner, tasks.c.id == new.c.id)
    return Query(update(tasks).where(*own).values(due_at=new.c.due_at))


_WRITE = _write()


async def moved(transaction: Transaction, user_id: str, ids: Sequence[UUID]) -> list[Call]:
    """Return the statement that sets `due_at` of those of these tasks for which it is another now, or no statement.

    The transaction has the account's lock. The caller takes the revisions.
    """
    (rows,) = await transaction.run((_FIND, {"user_id": user_id, "ids": ids}))
    return setting(user_id, changes(rows))


def changes(rows: Sequence[Row]) -> dict[UUID, datetime | None]:
    """Return the instants that are other ones than stored, by id. A row is an id, due.MEMBERS and `due_at`."""
    return {task_id: new for task_id, *wall, due_at in rows if (new := due.instant_of(*wall)) != due_at}


def setting(user_id: str, new: Mapping[UUID, datetime | None]) -> list[Call]:
    """Return the statement that sets `due_at` of these tasks, or no statement. It takes no revision."""
    return [(_WRITE, {"user_id": user_id, "ids": [*new], "instants": [*new.values()]})] if new else []
