"""Deletions: what one request deleted, which can be undone as a whole."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, true

from storage import trash
from storage.driver.database import Database
from storage.schema import is_in_trash
from storage.set_changes import Picked, change_set
from storage.set_statements import statements

MOST_RESTORED = 1_000

_deletion = trash.deletion_id == bindparam("deletion", type_=Uuid)
_RESTORE = statements([is_in_trash, _deletion], trash.RESTORED, true())


class Restored(NamedTuple):
    """What a request found of a deletion and restored, the user's revision after it, and whether there is more."""

    matched: int
    changed: int
    revision: int
    has_more: bool


async def restore_deletion(database: Database, user_id: str, deletion_id: UUID) -> Restored:
    """Restore the first MOST_RESTORED tasks of a deletion that are still in the trash.

    An unknown deletion has no tasks.
    """
    values = {"deletion": deletion_id}
    outcome = await change_set(database, user_id, _RESTORE, values, most=MOST_RESTORED, check=_accept)
    has_more = outcome.matched > MOST_RESTORED
    return Restored(outcome.changed, outcome.changed, outcome.revision, has_more)


def _accept(_: Picked) -> None:
    """Accept any number: the rest is restored by the next request."""
