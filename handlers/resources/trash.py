"""The trash: conversion of storage's rows to the contract's `TrashedTask` and `TrashList`."""

from typing import Any

from handlers.resources.tasks import task_resource
from storage.trash import TrashedTask, TrashPage


def trashed_resource(trashed: TrashedTask) -> dict[str, Any]:
    """Return a row as the contract's `TrashedTask`."""
    deletion = {"deleted_at": trashed.deleted_at, "deletion_id": trashed.deletion_id}
    return {**task_resource(trashed.task), **deletion}


def trash_resource(page: TrashPage, next_cursor: str | None) -> dict[str, Any]:
    """Return a page as the contract's `TrashList`."""
    return {"tasks": [trashed_resource(trashed) for trashed in page.tasks], "next_cursor": next_cursor}
