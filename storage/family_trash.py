"""Restoring a task with its subtasks."""

from uuid import UUID

from storage import accounts, relatives, trash
from storage.deletions import RESTORE
from storage.driver.database import Database
from storage.driver.transaction import Transaction
from storage.errors import HasRelatives, NotFound
from storage.relatives import Within
from storage.set_changes import portions
from storage.subtrees import gone_with
from storage.tasks import Task, get_task


async def restore_task(database: Database, user_id: str, task_id: UUID) -> Task:
    """Take the task out of the trash, with the subtasks that went with it, and return it.

    One whose list or parent is deleted comes back in the inbox, without a parent. One that is not deleted is unchanged.
    Raises NotFound.
    """

    async def work(transaction: Transaction) -> Task:
        turn, _ = await relatives.begin(transaction, user_id, [task_id], [])
        row = turn.rows.get(task_id)
        if row is None or row.erased_at is not None:
            raise NotFound("task")
        if row.deleted_at is None:
            return row.task
        ids = [one.id for one in gone_with(row, turn.rows)]
        for call in portions(RESTORE, ids, {"user_id": user_id}, turn.revision, turn.stamp.at):
            await transaction.run(call)
        await relatives.settle(transaction, user_id, ids)
        task = await get_task(Within(transaction), user_id, task_id)
        await transaction.commit(accounts.set_revision(user_id, turn.revision + len(ids)))
        return task

    try:
        return await trash.restore_task(database.pipeline, user_id, task_id)
    except HasRelatives:
        return await database.in_transaction(user_id, work)
