"""The tag `changes`: what has changed since a client last asked."""

from handlers.resources.changes import changes_resource
from handlers.resources.revisions import NOT_STORED
from handlers.resources.sync_tokens import read_token
from handlers.responses.response import JSON, Response
from storage import changes
from storage.driver.database import Database


async def list_changes(
    database: Database,
    user_id: str,
    sync_token: str | None,
    limit: int,
    wait: int,  # noqa: ARG001
) -> Response:
    """Return one page of changes since the token."""
    token = None if sync_token is None else read_token(sync_token)
    page = await changes.list_changes(database.pipeline, user_id, token, limit)
    return JSON(changes_resource(page), headers=NOT_STORED)
