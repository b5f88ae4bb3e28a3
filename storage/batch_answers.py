"""The answer of a batch as its idempotency key keeps it: what became of each operation, by ids, without texts."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from storage.batch_plan import FAILURES, Outcome, Plan
from storage.errors import Conflict, ImpossibleRecurrence, NotFound, PreconditionFailed
from storage.tasks import Task


def answer_of(plan: Plan) -> dict[str, Any]:
    """Return what to keep of a batch that was carried out."""
    return {"revision": plan.revision, "outcomes": [_kept(outcome) for outcome in plan.outcomes]}


def ids_in(answer: Mapping[str, Any]) -> list[UUID]:
    """Return the ids of the tasks that an answer names."""
    return [UUID(one["id"]) for one in answer["outcomes"] if one["id"]]


def outcomes_of(answer: Mapping[str, Any], current: Mapping[UUID, Task | None]) -> Sequence[Outcome]:
    """Return the outcomes of a kept answer, with the tasks as they are now: None for those that are deleted."""
    return [_outcome(one, current) for one in answer["outcomes"]]


def _kept(outcome: Outcome) -> dict[str, Any]:
    # A creation that failed may have none.
    task_id = str(outcome.id) if outcome.id else None
    if outcome.error is None:
        return {"id": task_id, "kind": outcome.kind}
    return {"id": task_id, "kind": FAILURES[type(outcome.error)], "members": _members(outcome.error)}


def _members(error: Exception) -> list[str]:
    """Return the members that an error is about. After that of an impossible rule comes what is wrong with it."""
    if isinstance(error, ImpossibleRecurrence):
        return [*filter(None, [error.member]), error.detail]
    return [*error.members] if isinstance(error, Conflict) else []


def _outcome(kept: Mapping[str, Any], current: Mapping[UUID, Task | None]) -> Outcome:
    task_id, kind = UUID(kept["id"]) if kept["id"] else None, kept["kind"]
    task = current.get(task_id) if task_id else None
    if kind in FAILURES.values():
        return Outcome("failed", task_id, task, _failure(kind, kept["members"], task))
    return Outcome(kind, task_id, None if kind == "deleted" else task)


def _failure(kind: str, members: Sequence[str], current: Task | None) -> Exception:
    match kind:
        case "not_found":
            return NotFound("task")
        case "conflict":
            return Conflict("task", current, members)
        case "precondition_failed":
            return PreconditionFailed("task", current)
        case "impossible_recurrence":
            *member, detail = members
            return ImpossibleRecurrence(member[0] if member else None, detail)
    return next(error for error, name in FAILURES.items() if name == kind)()
