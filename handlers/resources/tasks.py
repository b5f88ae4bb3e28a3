"""Tasks: from rows of storage to the contract's `Task`, and from its `TaskCreate` and `TaskUpdate` to values."""

from collections.abc import Mapping
from typing import Any

from storage.tasks import Task

PRIORITIES = {"Low": 1, "Medium": 2, "High": 3}
_PRIORITY_NAMES = {number: name for name, number in PRIORITIES.items()}
# The members that have no default in the contract, which fills in its own.
_ABSENT: Mapping[str, Any] = {"description": None, "due_date": None, "tags": []}


def task_resource(task: Task) -> dict[str, Any]:
    """Return a row as the contract's `Task`."""
    # For a list, `_asdict` and a merge would take twice as long.
    return {
        "id": task.id,
        "user_id": task.user_id,
        "title": task.title,
        "description": task.description,
        "completed": task.completed,
        "completed_at": task.completed_at,
        "priority": _PRIORITY_NAMES[task.priority],
        "due_date": task.due_date,
        "tags": task.tags,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "revision": task.revision,
    }


def new_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `TaskCreate` as storage takes it: a value for each column that a client may set."""
    return {**_ABSENT, **changed_values(body)}


def changed_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `TaskUpdate` as storage takes it: values for the columns that change."""
    return {**body, "priority": PRIORITIES[body["priority"]]} if "priority" in body else dict(body)
