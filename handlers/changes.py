"""The tag `changes`: what has changed since a client last asked."""

from handlers.responses.response import Response
from storage.driver.database import Database


async def list_changes(database: Database, user_id: str, sync_token: str | None, limit: int, wait: int) -> Response:
    raise NotImplementedError
