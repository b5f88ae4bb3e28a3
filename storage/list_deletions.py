"""Deletions of lists: a list goes to the trash with its tasks, and comes back with them."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import Uuid, bindparam, select, true

from storage import accounts
from storage.deletions import pick, restore
from storage.driver.database import Database
from storage.driver.query import Query
from storage.driver.transaction import Call, Transaction
from storage.errors import ListTooLarge, NotFound
from storage.list_rows import StoredList, TodoList
from storage.lists import accepted, begin, find, writes
from storage.schema import is_live, lists, tasks
from storage.set_changes import portions, send
from storage.set_statements import DELETED, statements

MOST_DELETED = 10_000

_list = bindparam("list", type_=Uuid)
_DELETE = statements([is_live, tasks.c.list_id == _list], DELETED, true())
_deletion = select(lists.c.deletion_id).where(lists.c.user_id == accounts.owner, lists.c.id == _list)
_PICK_DELETED = pick(_deletion.scalar_subquery())


async def delete_list(database: Database, user_id: str, list_id: UUID, revisions: Sequence[int] | None) -> None:
    """Move the list and its tasks to the trash, under one `deletion_id`. The list takes the last revision.

    The list is deleted only if its revision is in `revisions`; None allows any. Raises NotFound, PreconditionFailed,
    and ListTooLarge if it has more than MOST_DELETED tasks.
    """

    async def work(transaction: Transaction) -> None:
        find_tasks = _of_list(_DELETE.pick, user_id, list_id)
        turn, (((matched, ids, *_),),) = await begin(transaction, user_id, find(user_id, list_id), find_tasks)
        row, deletion_id = accepted(turn, revisions), uuid4()
        if matched > MOST_DELETED:
            raise ListTooLarge(MOST_DELETED)
        gone = row.list.touched(turn.revision + matched + 1, turn.at)
        parameters = {"user_id": user_id, "deletion_id": deletion_id}
        calls = [*portions(_DELETE.write, ids or (), parameters, turn.revision, turn.at)]
        await send(transaction, calls, writes(StoredList(gone, gone.updated_at, deletion_id)))

    await database.in_transaction(user_id, work, is_long=True)


async def restore_list(database: Database, user_id: str, list_id: UUID) -> TodoList:
    """Take the list out of the trash, with the tasks that went with it, and return it.

    One that is not deleted is unchanged. Raises NotFound, and LimitReached if the user has too many lists.
    """

    async def work(transaction: Transaction) -> TodoList:
        find_tasks = _of_list(_PICK_DELETED, user_id, list_id)
        turn, (rows,) = await begin(transaction, user_id, find(user_id, list_id), find_tasks)
        if turn.row is None or turn.row.erased_at is not None:
            raise NotFound("list")
        if not turn.row.is_live:
            await restore(transaction, user_id, turn, [task_id for (task_id,) in rows])
            return turn.row.list.touched(turn.revision + 1, turn.at)
        return turn.row.list

    return await database.in_transaction(user_id, work, is_long=True)


def _of_list(query: Query, user_id: str, list_id: UUID) -> Call:
    return query, {"user_id": user_id, "list": list_id, "limit": MOST_DELETED + 1}
