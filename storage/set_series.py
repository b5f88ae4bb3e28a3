"""Recurring tasks of a set, which Python completes or reopens: it reads them, and writes them with the next ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from storage import positions, relatives, stored_rows, task_rows
from storage.driver.transaction import Transaction
from storage.rows import Rows, Stamp, StoredTask
from storage.set_changes import Moves
from storage.tasks import ZONE, Task

# Of rows that may be long.
_PORTION = 250
_TAG_CHANGES = ("add_tags", "remove_tags")


async def move_series(
    user_id: str,
    changes: Mapping[str, Any],
    transaction: Transaction,
    ids: Sequence[UUID],
    revision: int,
    at: datetime,
    *,
    keep_next: bool,
) -> Moves:
    """Return the statements that apply changes to these tasks, and create and remove next occurrences.

    `changes` are those of `task_sets.update_tasks`, and `revision` is the last one that is taken. Raises SeriesMovedOn.
    """
    rows = await _read(transaction, user_id, ids)
    rows.add((await _read(transaction, user_id, _next_ids(rows, ids))).values())
    (((zone,),),) = await transaction.run((ZONE, {"user_id": user_id}))
    # If the tasks are to be in a list, that has been found already.
    lists = [changes["list_id"]] if changes.get("list_id") else []
    stamp = Stamp(user_id, revision + 1, at, zone, lists, positions.last)
    written: list[StoredTask] = []
    for task_id in ids:
        row = rows[task_id]
        written += task_rows.changed(row, _values(row.task, changes), rows, stamp, keep_next=keep_next)
        stamp = stamp._replace(revision=revision + len(written) + 1)
    return Moves(stored_rows.writes(user_id, written), len(written))


async def _read(transaction: Transaction, user_id: str, ids: Sequence[UUID]) -> Rows:
    """Return tasks with their subtasks."""
    rows = Rows()
    for start in range(0, len(ids), _PORTION):
        rows.add((await relatives.read(transaction, user_id, ids[start : start + _PORTION])).values())
    return rows


def _next_ids(rows: Rows, ids: Sequence[UUID]) -> list[UUID]:
    return [next_id for task_id in ids if (next_id := rows[task_id].task.next_task_id)]


def _values(task: Task, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new values of one task. New tags come last, and none is there twice."""
    values = {name: value for name, value in changes.items() if name not in _TAG_CHANGES}
    if "add_tags" in changes:
        tags = dict.fromkeys([*task.tags, *changes["add_tags"]])
        values["tags"] = [tag for tag in tags if tag not in changes["remove_tags"]]
    return values
