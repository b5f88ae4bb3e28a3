"""Changes: conversion of storage's rows to the contract's `ChangeList`."""

from typing import Any

from handlers.resources.lists import list_resource
from handlers.resources.sync_tokens import write_token
from handlers.resources.tasks import task_resource
from storage.changes import Changes


def changes_resource(changes: Changes) -> dict[str, Any]:
    """Return a page of changes as the contract's `ChangeList`."""
    return {
        "tasks": [task_resource(task) for task in changes.tasks],
        "deleted": [deleted._asdict() for deleted in changes.deleted],
        "lists": [list_resource(row) for row in changes.lists],
        "deleted_lists": [deleted._asdict() for deleted in changes.deleted_lists],
        "sync_token": write_token(changes.token),
        "has_more": changes.has_more,
    }
