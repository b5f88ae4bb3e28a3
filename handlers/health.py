"""The tag `health`: whether the service works."""

from handlers.contract import Answer
from handlers.problems import RETRY_AFTER
from storage.database import Database

_PATIENCE_SECONDS = 1.0


async def get_health(database: Database, version: str) -> Answer:
    """Answer 200 or 503, within about a second either way."""
    if await database.is_up(within=_PATIENCE_SECONDS):
        return {"status": "healthy", "version": version, "database": "up"}, 200, {"Cache-Control": "no-store"}
    body = {"status": "unhealthy", "version": version, "database": "down"}
    return body, 503, {"Cache-Control": "no-store", **RETRY_AFTER}
