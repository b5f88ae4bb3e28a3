"""Batches: conversion of the contract's `BatchOperation` for storage, and of the outcomes to `BatchResult`."""

from collections.abc import Mapping
from typing import Any

from handlers.resources.problems import problem_of
from handlers.resources.tasks import changed_values, new_values, task_resource, whole_values
from handlers.responses.problems import Problem
from storage.batch import Batch
from storage.batch_plan import Operation, Outcome

_STATUSES = {"created": 201, "written": 200, "deleted": 204, "not_run": 424}


def operations_of(body: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of a `Batch` as storage takes them."""
    return [_operation(one) for one in body["operations"]]


def _operation(given: Mapping[str, Any]) -> Operation:
    base = changed_values(given["base"]) if "base" in given else None
    revision, keep_next = given.get("if_revision"), given.get("keep_next", False)
    return Operation(given["op"], given.get("id"), _values(given), base, revision, keep_next)


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    match given["op"]:
        case "create":
            return new_values(given["task"])
        case "replace":
            return whole_values(given["task"])
    return changed_values(given.get("changes", {}))


def batch_resource(batch: Batch, request_id: str) -> dict[str, Any]:
    """Return what became of a batch as the contract's `BatchResult`."""
    return {"revision": batch.revision, "results": _results(batch, request_id)}


def batch_failed(batch: Batch, request_id: str) -> Problem:
    """Return the problem of an atomic batch of which nothing was written, with every failure."""
    failed = sum(outcome.error is not None for outcome in batch.outcomes)
    detail = f"{failed} of {len(batch.outcomes)} operations failed, so nothing was written."
    return Problem(409, detail, kind="batch-failed", extensions={"results": _results(batch, request_id)})


def _results(batch: Batch, request_id: str) -> list[dict[str, Any]]:
    return [_result(outcome, request_id) for outcome in batch.outcomes]


def _result(outcome: Outcome, request_id: str) -> dict[str, Any]:
    task = {"task": task_resource(outcome.task)} if outcome.task else {}
    if outcome.error is None:
        return {"status": _STATUSES[outcome.kind], "id": outcome.id, **task}
    problem: Any = problem_of(outcome.error)
    members = problem.members(request_id)
    # What an operation finds may be deleted by an earlier one, or be there because nothing was written.
    absent = {"task": None} if "task" in members else {}
    return {"status": problem.status, "id": outcome.id, "problem": members | absent | task}
