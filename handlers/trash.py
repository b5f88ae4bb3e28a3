"""The tag `trash`: deleted tasks and lists, until they are erased."""

from typing import Any
from uuid import UUID

from handlers.resources.cursors import Cursors
from handlers.resources.revisions import NOT_STORED, PRIVATE, resource_headers
from handlers.resources.tasks import task_resource
from handlers.resources.trash import trash_resource
from handlers.responses.problems import invalid_input
from handlers.responses.response import JSON, NoContent, Response
from storage import deletions, family_trash, trash
from storage.driver.database import Database
from storage.task_pages import Position


async def list_trash(database: Database, cursors: Cursors, user_id: str, limit: int, cursor: str | None) -> Response:
    """Return one page of the deleted tasks and lists."""
    query: list[object] = [user_id, "trash"]
    after = None if cursor is None else _position(cursors, cursor, query)
    page = await trash.list_trash(database.pipeline, user_id, limit=limit, after=after)
    next_cursor = cursors.encode(page.next, query) if page.next else None
    # Tasks and lists leave the trash without a revision, so no entity tag could say that it is unchanged.
    return JSON(trash_resource(page, next_cursor), headers=NOT_STORED)


async def empty_trash(database: Database, user_id: str) -> Response:
    """Erase all deleted tasks and lists, and return no content."""
    await trash.empty_trash(database, user_id)
    return NoContent()


async def restore_deletion(database: Database, user_id: str, body: dict[str, Any]) -> Response:
    """Restore what one request deleted, up to 1,000 tasks and a list, and return how many there were."""
    restored = await deletions.restore_deletion(database, user_id, body["deletion_id"])
    return JSON(restored._asdict(), headers=PRIVATE)


async def erase_task(database: Database, user_id: str, task_id: UUID) -> Response:
    """Erase the deleted task, and return no content."""
    await trash.erase_task(database.pipeline, user_id, task_id)
    return NoContent()


async def restore_task(database: Database, user_id: str, task_id: UUID) -> Response:
    """Restore the task, and return it."""
    task = await family_trash.restore_task(database, user_id, task_id)
    return JSON(task_resource(task), headers=resource_headers(task.revision))


def _position(cursors: Cursors, cursor: str, query: list[object]) -> Position:
    position = cursors.decode(cursor, query)
    if position is None:
        raise invalid_input([{"in": "query", "name": "cursor", "detail": "is damaged, or was made for another list"}])
    return position
