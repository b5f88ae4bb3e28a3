"""Writes of many tasks at once: conversion of what a client sends, and of what became of the tasks."""

from collections.abc import Mapping
from typing import Any

from handlers.resources.idempotency import replay_headers
from handlers.resources.revisions import PRIVATE
from handlers.resources.tasks import changed_values
from handlers.responses.response import JSON
from storage.set_changes import Outcome


def set_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `TaskBulkUpdate` as storage takes it: tags to add and to remove come together."""
    values = changed_values(body)
    if "add_tags" in body or "remove_tags" in body:
        return {"add_tags": [], "remove_tags": [], **values}
    return values


def outcome_response(outcome: Outcome, *members: str) -> JSON:
    """Return these members of what became of a set of tasks, and whether that repeats an earlier answer."""
    content = {name: getattr(outcome, name) for name in members}
    return JSON(content, headers={**PRIVATE, **replay_headers(is_replayed=outcome.is_replayed)})
