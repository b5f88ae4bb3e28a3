"""The tag `tasks`: what a user intends to do."""

from datetime import date
from typing import Any
from uuid import UUID

from handlers.resources.clocks import clock_for, clock_in, tick
from handlers.resources.cursors import Cursors
from handlers.resources.idempotency import key_of, replay_headers
from handlers.resources.locations import location
from handlers.resources.revisions import list_headers, list_not_modified, not_modified, resource_headers
from handlers.resources.spots import spot_of
from handlers.resources.task_sets import outcome_response, set_values
from handlers.resources.tasks import (
    changed_values,
    filters_of,
    new_values,
    page_resource,
    task_resource,
    whole_values,
)
from handlers.responses.entity_tags import is_listed, required_revisions
from handlers.responses.problems import invalid_input
from handlers.responses.response import JSON, NoContent, Response
from storage import families, moves, task_pages, task_sets, tasks
from storage.driver.database import Database


async def list_tasks(
    database: Database,
    cursors: Cursors,
    user_id: str,
    id: list[UUID] | None,
    search: str | None,
    completed: bool | None,
    priority: list[str] | None,
    tags: list[str] | None,
    tag_match: str,
    due_before: date | None,
    due_after: date | None,
    list_id: list[str] | None,
    parent_id: list[str] | None,
    due: str | None,
    time_zone: str | None,
    sort_by: str,
    sort_direction: str,
    limit: int,
    offset: int | None,
    cursor: str | None,
    if_none_match: str | None,
) -> Response:
    """Return one page of the tasks that match, or 304."""
    read = await clock_for(database.pipeline, user_id, due, time_zone, sort_by)
    filters = filters_of(
        id, search, completed, priority, tags, tag_match, due_before, due_after, list_id, parent_id, due, clock_in(read)
    )
    sort = task_pages.Sort(sort_by, sort_direction == "desc")
    query = [user_id, filters.fixed(), *sort, *filters.zoned()]
    start = _start(offset, cursor, query, cursors)
    if read:
        unchanged = not_modified(read.head, if_none_match, tick(due, read))
    else:
        unchanged = await list_not_modified(database.pipeline, user_id, if_none_match)
    if unchanged:
        return unchanged
    page = await task_pages.list_tasks(database.pipeline, user_id, filters, sort, limit=limit, start=start)
    next_cursor = cursors.encode(page.next, query) if page.next else None
    return JSON(
        page_resource(page, limit, start, next_cursor),
        headers=list_headers(read.head if read else page.head, tick(due, read)),
    )


async def create_task(
    database: Database, user_id: str, body: dict[str, Any], idempotency_key: str | None, fingerprint: bytes | None
) -> Response:
    """Create a task, and return it with its path. A request with a key that took effect earlier returns its task."""
    key = key_of(idempotency_key, fingerprint)
    created = await families.create_task(database, user_id, new_values(body), key)
    return _created(created.task, is_replayed=created.is_replayed)


async def update_tasks(
    database: Database,
    user_id: str,
    id: list[UUID] | None,
    search: str | None,
    completed: bool | None,
    priority: list[str] | None,
    tags: list[str] | None,
    tag_match: str,
    due_before: date | None,
    due_after: date | None,
    list_id: list[str] | None,
    parent_id: list[str] | None,
    due: str | None,
    time_zone: str | None,
    keep_next: bool,
    dry_run: bool,
    body: dict[str, Any],
    idempotency_key: str | None,
    fingerprint: bytes | None,
) -> Response:
    """Apply the merge patch to all tasks that match, and return how many matched and changed."""
    clock = clock_in(await clock_for(database.pipeline, user_id, due, time_zone))
    filters = filters_of(
        id, search, completed, priority, tags, tag_match, due_before, due_after, list_id, parent_id, due, clock
    )
    changes = set_values(body)
    if dry_run:
        outcome = await task_sets.count_updates(database.pipeline, user_id, filters, changes)
    else:
        key = key_of(idempotency_key, fingerprint)
        outcome = await task_sets.update_tasks(database, user_id, filters, changes, key, keep_next=keep_next)
    return outcome_response(outcome, "matched", "changed", "revision")


async def delete_tasks(
    database: Database,
    user_id: str,
    id: list[UUID] | None,
    search: str | None,
    completed: bool | None,
    priority: list[str] | None,
    tags: list[str] | None,
    tag_match: str,
    due_before: date | None,
    due_after: date | None,
    list_id: list[str] | None,
    parent_id: list[str] | None,
    due: str | None,
    time_zone: str | None,
    dry_run: bool,
    idempotency_key: str | None,
    fingerprint: bytes | None,
) -> Response:
    """Move all tasks that match to the trash, and return how many."""
    clock = clock_in(await clock_for(database.pipeline, user_id, due, time_zone))
    filters = filters_of(
        id, search, completed, priority, tags, tag_match, due_before, due_after, list_id, parent_id, due, clock
    )
    if dry_run:
        outcome = await task_sets.count_deletions(database.pipeline, user_id, filters)
    else:
        outcome = await task_sets.delete_tasks(database, user_id, filters, key_of(idempotency_key, fingerprint))
    return outcome_response(outcome, "matched", "changed", "revision", "deletion_id")


async def get_task(database: Database, user_id: str, task_id: UUID, if_none_match: str | None) -> Response:
    """Return the task, or 304."""
    task = await tasks.get_task(database.pipeline, user_id, task_id)
    if if_none_match is not None and is_listed(str(task.revision), if_none_match):
        return NoContent(304, resource_headers(task.revision))
    return _shown(task)


async def put_task(
    database: Database,
    user_id: str,
    task_id: UUID,
    body: dict[str, Any],
    if_match: str | None,
    if_none_match: str | None,
    keep_next: bool,
    subtasks: families.Subtasks,
) -> Response:
    """Create or replace the task, and return it."""
    put = await families.put_task(
        database,
        user_id,
        task_id,
        whole_values(body),
        # The contract allows only `*`: the task must not be there, so no revision is accepted.
        revisions=required_revisions(if_match) if if_none_match is None else [],
        may_create=if_match is None,
        keep_next=keep_next,
        subtasks=subtasks,
    )
    return _created(put.task) if put.is_new else _shown(put.task)


async def update_task(
    database: Database,
    user_id: str,
    task_id: UUID,
    body: dict[str, Any],
    if_match: str | None,
    keep_next: bool,
    subtasks: families.Subtasks,
) -> Response:
    """Apply the merge patch, and return the task."""
    values, revisions = changed_values(body), required_revisions(if_match)
    task = await families.update_task(
        database, user_id, task_id, values, revisions, keep_next=keep_next, subtasks=subtasks
    )
    return _shown(task)


async def move_task(
    database: Database, user_id: str, task_id: UUID, body: dict[str, Any], if_match: str | None
) -> Response:
    """Move the task to another place among its siblings, and return it."""
    return _shown(await moves.move_task(database, user_id, task_id, spot_of(body), required_revisions(if_match)))


async def skip_occurrence(database: Database, user_id: str, task_id: UUID, if_match: str | None) -> Response:
    """Move the task to its next occurrence, and return it."""
    revisions = required_revisions(if_match)
    return _shown(await families.skip_occurrence(database, user_id, task_id, revisions))


async def delete_task(database: Database, user_id: str, task_id: UUID, if_match: str | None) -> Response:
    """Delete the task with its subtasks, and return no content."""
    await families.delete_task(database, user_id, task_id, required_revisions(if_match))
    return NoContent()


def _shown(task: tasks.Task) -> JSON:
    return JSON(task_resource(task), headers=resource_headers(task.revision))


def _created(task: tasks.Task, *, is_replayed: bool = False) -> JSON:
    headers = {**location(task.user_id, "tasks", task.id), **resource_headers(task.revision)}
    return JSON(task_resource(task), 201, {**headers, **replay_headers(is_replayed=is_replayed)})


def _start(offset: int | None, cursor: str | None, query: list[object], cursors: Cursors) -> task_pages.Position | int:
    if cursor is None:
        return offset or 0
    if offset is not None:
        raise invalid_input([{"in": "query", "name": "offset", "detail": "cannot be combined with cursor"}])
    position = cursors.decode(cursor, query)
    if position is None:
        detail = "is damaged, or was made for other filters, another order, another time zone or another day"
        raise invalid_input([{"in": "query", "name": "cursor", "detail": detail}])
    return position
