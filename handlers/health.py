"""The tag `health`: whether the service works."""

from typing import Any

from handlers.contract.operation import Answer
from handlers.responses.problems import RETRY_AFTER
from storage.administration.migrations import is_applied
from storage.driver.database import Database

_PATIENCE_SECONDS = 1.0


async def get_health(database: Database, version: str) -> Answer:
    """Answer 200 or 503, within about a second either way."""
    ping = await database.ping(within=_PATIENCE_SECONDS)
    body = {"version": version, "database": "up" if ping.up else "down"}
    return _answer({"status": "healthy" if ping.up else "unhealthy", **body}, good=ping.up)


async def get_liveness(version: str) -> Answer:
    """Answer 200, whatever the database does."""
    return _answer({"status": "alive", "version": version}, good=True)


async def get_readiness(database: Database, version: str, newest_revision: str) -> Answer:
    """Answer 200 or 503, within about a second either way."""
    ping = await database.ping(within=_PATIENCE_SECONDS)
    applied = is_applied(ping.revision, newest_revision)
    migrations = ("applied" if applied else "pending") if ping.up else "unknown"
    body = {"version": version, "database": "up" if ping.up else "down", "migrations": migrations}
    return _answer({"status": "ready" if applied else "not_ready", **body}, good=applied)


def _answer(body: dict[str, Any], *, good: bool) -> Answer:
    headers = {"Cache-Control": "no-store"}
    return (body, 200, headers) if good else (body, 503, headers | RETRY_AFTER)
