"""The tag `tasks`: what a user means to do."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote
from uuid import UUID

from handlers.contract.operation import Answer
from handlers.resources.cursors import decode_cursor, encode_cursor
from handlers.resources.tasks import PRIORITIES, PRIVATE, entity_tag, list_tag, task_resource
from handlers.responses.entity_tags import list_not_modified, names, revisions_of
from handlers.responses.problems import InputError, invalid_input
from handlers.settings.settings import Settings
from storage import task_pages as lists
from storage import tasks
from storage.driver.database import Database

_DEFAULTS: dict[str, Any] = {
    "description": None,
    "completed": False,
    "priority": "Medium",
    "due_date": None,
    "tags": [],
}


async def list_tasks(
    database: Database,
    settings: Settings,
    user_id: str,
    search: str | None,
    completed: bool | None,
    priority: list[str] | None,
    tags: list[str] | None,
    tag_match: str,
    due_before: date | None,
    due_after: date | None,
    sort_by: str,
    sort_direction: str,
    limit: int,
    offset: int | None,
    cursor: str | None,
    if_none_match: str | None,
) -> Answer:
    """Answer with one page of the tasks that match, or 304."""
    filters = lists.Filters(
        search=search or None,
        completed=completed,
        priority=sorted({PRIORITIES[name] for name in priority or ()}),
        tags=sorted(set(tags or ())),
        all_tags=tag_match == "all" and bool(tags),
        due_before=due_before,
        due_after=due_after,
    )
    sort = lists.Sort(sort_by, sort_direction == "desc")
    query = [user_id, filters, *sort]
    start = _start(offset, cursor, query, settings.secret)
    async with database.connection() as connection:
        if not_modified := await list_not_modified(connection, user_id, if_none_match):
            return not_modified
        page = await lists.list_tasks(connection, user_id, filters, sort, limit=limit, start=start)
    body = {
        "tasks": [task_resource(task) for task in page.tasks],
        "total": page.total,
        "limit": limit,
        "offset": start if isinstance(start, int) else None,
        "next_cursor": encode_cursor(page.next, query, settings.secret) if page.next else None,
    }
    return body, 200, {"ETag": list_tag(page.revision), **PRIVATE}


async def create_task(database: Database, user_id: str, body: dict[str, Any]) -> Answer:
    """Answer with the new task and where it is."""
    async with database.connection() as connection:
        task = await tasks.create_task(connection, user_id, _DEFAULT_VALUES | _values(body))
    location = f"/api/{quote(user_id, safe='')}/tasks/{task.id}"
    return task_resource(task), 201, {"Location": location, "ETag": entity_tag(task.revision), **PRIVATE}


async def get_task(database: Database, user_id: str, task_id: UUID, if_none_match: str | None) -> Answer:
    """Answer with the task, or 304."""
    async with database.connection() as connection:
        task = await tasks.get_task(connection, user_id, task_id)
    headers = {"ETag": entity_tag(task.revision), **PRIVATE}
    if if_none_match is not None and names(if_none_match, str(task.revision)):
        return None, 304, headers
    return task_resource(task), 200, headers


async def update_task(
    database: Database, user_id: str, task_id: UUID, body: dict[str, Any], if_match: str | None
) -> Answer:
    """Answer with the task as the merge patch left it."""
    async with database.connection() as connection:
        task = await tasks.update_task(connection, user_id, task_id, _values(body), revisions_of(if_match))
    return task_resource(task), 200, {"ETag": entity_tag(task.revision), **PRIVATE}


async def delete_task(database: Database, user_id: str, task_id: UUID, if_match: str | None) -> Answer:
    """Answer with nothing: the task is gone."""
    async with database.connection() as connection:
        await tasks.delete_task(connection, user_id, task_id, revisions_of(if_match))
    return None, 204


def _start(offset: int | None, cursor: str | None, query: list[object], secret: str) -> lists.Position | int:
    if cursor is None:
        return offset or 0
    position = decode_cursor(cursor, query, secret)
    errors: list[InputError] = []
    if offset is not None:
        errors.append({"in": "query", "name": "offset", "detail": "cannot be combined with cursor"})
    if position is None:
        detail = "is damaged, or was made for other filters or another order"
        errors.append({"in": "query", "name": "cursor", "detail": detail})
    if position is None or errors:
        raise invalid_input(errors)
    return position


def _values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body's members as storage takes them."""
    values = dict(body)
    if "priority" in values:
        values["priority"] = PRIORITIES[values["priority"]]
    if values.get("due_date") is not None:
        values["due_date"] = date.fromisoformat(values["due_date"])
    return values


_DEFAULT_VALUES = _values(_DEFAULTS)
