"""The trash: conversion of storage's rows to the contract's `TrashedTask`, `TrashedTodoList` and `TrashList`."""

from typing import Any

from handlers.resources.lists import list_resource
from handlers.resources.tasks import task_resource
from storage.trash import TrashedList, TrashedTask, TrashPage


def trashed_resource(trashed: TrashedTask) -> dict[str, Any]:
    """Return a row as the contract's `TrashedTask`."""
    deletion = {"deleted_at": trashed.deleted_at, "deletion_id": trashed.deletion_id}
    return {**task_resource(trashed.task), **deletion}


def trashed_list_resource(trashed: TrashedList) -> dict[str, Any]:
    """Return a row as the contract's `TrashedTodoList`."""
    deletion = {"deleted_at": trashed.deleted_at, "deletion_id": trashed.deletion_id}
    return {**list_resource(trashed.list), **deletion}


def trash_resource(page: TrashPage, next_cursor: str | None) -> dict[str, Any]:
    """Return a page as the contract's `TrashList`."""
    return {
        "tasks": [trashed_resource(trashed) for trashed in page.tasks],
        "lists": [trashed_list_resource(trashed) for trashed in page.lists],
        "next_cursor": next_cursor,
    }
