"""Tasks: conversion of rows to the contract's `Task`, and of its `TaskCreate` and `TaskUpdate` to column values."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, cast
from uuid import UUID

from storage import time_zones
from storage.clocks import Clock
from storage.recurrence import Recurrence
from storage.recurrence_text import rrule
from storage.task_filters import Filters
from storage.task_pages import Page, Position
from storage.tasks import Task

PRIORITIES = {"Low": 1, "Medium": 2, "High": 3}
_INBOX = "inbox"
_NONE = "none"
_PRIORITY_NAMES = {number: name for name, number in PRIORITIES.items()}


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
        "due_time": task.due_time and f"{task.due_time:%H:%M}",
        "time_zone": task.time_zone,
        "due_at": task.due_at,
        "recurrence": task.recurrence,
        "rrule": None if task.recurrence is None else _rrule(task, task.recurrence),
        "series_id": task.series_id,
        "occurrence_date": task.occurrence_date,
        "next_task_id": task.next_task_id,
        "tags": task.tags,
        "list_id": task.list_id,
        "parent_id": task.parent_id,
        "position": task.position,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "revision": task.revision,
    }


def _rrule(task: Task, rule: Recurrence) -> str | None:
    zone = None if task.time_zone is None else time_zones.zone(task.time_zone)
    return rrule(rule, cast(date, task.occurrence_date), task.due_time, zone)


def page_resource(page: Page, limit: int, start: Position | int, next_cursor: str | None) -> dict[str, Any]:
    """Return a page as the contract's `TaskList`; `start` is where it began, an offset or a cursor's position."""
    return {
        "tasks": [task_resource(task) for task in page.tasks],
        "total": page.total,
        "limit": limit,
        "offset": start if isinstance(start, int) else None,
        "next_cursor": next_cursor,
    }


def filters_of(
    ids: Iterable[UUID] | None,
    search: str | None,
    completed: bool | None,
    priority: Iterable[str] | None,
    tags: Iterable[str] | None,
    tag_match: str,
    due_before: date | None,
    due_after: date | None,
    list_ids: Iterable[str] | None,
    parent_ids: Iterable[str] | None,
    due: str | None,
    clock: Clock | None,
) -> Filters:
    """Return the contract's filters as storage takes them; absent and empty ones match every task."""
    return Filters(
        ids=sorted(set(ids or ())),
        search=search or None,
        completed=completed,
        priority=sorted({PRIORITIES[name] for name in priority or ()}),
        tags=sorted(set(tags or ())),
        all_tags=tag_match == "all" and bool(tags),
        due_before=due_before,
        due_after=due_after,
        due=due,
        clock=clock,
        lists=sorted({UUID(one) for one in list_ids or () if one != _INBOX}),
        inbox=_INBOX in (list_ids or ()),
        parents=sorted({UUID(one) for one in parent_ids or () if one != _NONE}),
        top=_NONE in (parent_ids or ()),
    )


def new_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `TaskCreate` or `TaskReplace` as storage takes it: a value for each column that a client may set.

    Storage decides on an absent time, zone, recurrence or position, which a task that is replaced keeps, and on the
    list of a subtask.
    Members that have a default in the contract are there already.
    """
    top = {"list_id": None} if body.get("parent_id") is None else {}
    return {"parent_id": None, **top, **whole_values(body)}


def whole_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `TaskReplace` as storage takes it, without the columns that keep their value if they are absent."""
    return {"description": None, "due_date": None, "tags": [], **changed_values(body)}


def changed_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `TaskUpdate` as storage takes it: values for the columns that change."""
    return {**body, "priority": PRIORITIES[body["priority"]]} if "priority" in body else dict(body)
