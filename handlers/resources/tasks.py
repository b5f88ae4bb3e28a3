"""Rows as the contract writes them: one serialiser per resource, and the headers that go with it."""

from typing import Any

from storage.tags import Tag
from storage.tasks import Task

PRIORITIES = {"Low": 1, "Medium": 2, "High": 3}
_PRIORITY_NAMES = {number: name for name, number in PRIORITIES.items()}
PRIVATE = {"Cache-Control": "private, no-cache"}


def entity_tag(revision: int) -> str:
    """Return a task's revision as a strong entity tag (RFC 9110, section 8.8.3), as If-Match needs it."""
    return f'"{revision}"'


def list_tag(revision: int) -> str:
    """Return a user's revision as a weak entity tag: it says that the data is the same, not that every byte is."""
    return f'W/"{revision}"'


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


def tag_resource(tag: Tag) -> dict[str, Any]:
    """Return a row as the contract's `Tag`."""
    return tag._asdict()
