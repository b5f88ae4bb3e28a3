"""The tag `trash`: deleted tasks, until they are erased."""

from typing import Any
from uuid import UUID

from handlers.resources.cursors import Cursors
from handlers.resources.revisions import PRIVATE
from handlers.responses.response import JSON, Response
from storage import deletions
from storage.driver.database import Database


async def list_trash(database: Database, cursors: Cursors, user_id: str, limit: int, cursor: str | None) -> Response:
    raise NotImplementedError


async def empty_trash(database: Database, user_id: str) -> Response:
    raise NotImplementedError


async def restore_deletion(database: Database, user_id: str, body: dict[str, Any]) -> Response:
    """Restore what one request deleted, up to 1,000 tasks, and return how many there were."""
    restored = await deletions.restore_deletion(database, user_id, body["deletion_id"])
    return JSON(restored._asdict(), headers=PRIVATE)


async def erase_task(database: Database, user_id: str, task_id: UUID) -> Response:
    raise NotImplementedError


async def restore_task(database: Database, user_id: str, task_id: UUID) -> Response:
    raise NotImplementedError
