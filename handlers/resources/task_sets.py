"""Writes of many tasks at once: checks and conversion of what a client sends, and of what became of the tasks."""

from collections.abc import Mapping
from typing import Any

from handlers.resources.idempotency import replay_headers
from handlers.resources.revisions import PRIVATE
from handlers.resources.tasks import changed_values
from handlers.responses.problems import InputError, invalid_input
from handlers.responses.response import JSON
from storage.set_changes import Outcome
from storage.task_filters import Filters


def check_filters(filters: Filters, body: Mapping[str, Any] | None = None) -> None:
    """Check that there is a filter, and that the tags of a `TaskBulkUpdate` go together. Raises Problem 400."""
    errors = [] if filters.given()[0] else [_error_in_query()]
    if errors := [*errors, *_errors_in_body(body or {})]:
        raise invalid_input(errors)


def _error_in_query() -> InputError:
    return {"in": "query", "detail": "must have at least one filter"}


def _errors_in_body(body: Mapping[str, Any]) -> list[InputError]:
    errors: list[InputError] = []
    if "tags" in body and ("add_tags" in body or "remove_tags" in body):
        errors.append({"in": "body", "pointer": "/tags", "detail": "cannot be combined with add_tags or remove_tags"})
    for place, tag in enumerate(body.get("remove_tags", ())):
        if tag in body.get("add_tags", ()):
            errors.append({"in": "body", "pointer": f"/remove_tags/{place}", "detail": "must not be in add_tags too"})
    return errors


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
