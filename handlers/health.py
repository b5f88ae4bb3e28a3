"""The tag `health`: whether the service works."""

from typing import Any

from handlers.responses.problems import RETRY_AFTER
from handlers.responses.response import JSON, Response
from handlers.responses.state import ServiceState
from storage.administration.migrations import is_applied
from storage.driver.database import Database
from storage.time_zones import VERSION

_TIMEOUT_SECONDS = 1.0
# A load balancer must not withdraw a service whose database responds slowly.
_READINESS_TIMEOUT_SECONDS = 3.0


async def get_health(database: Database, version: str) -> Response:
    """Return 200 or 503, in either case within about a second."""
    ping = await database.ping(within=_TIMEOUT_SECONDS)
    content = {"version": version, "database": "up" if ping.up else "down", "tzdata": VERSION}
    return _response({"status": "healthy" if ping.up else "unhealthy", **content}, good=ping.up)


async def get_liveness(version: str) -> Response:
    """Return 200, whatever the state of the database."""
    return _response({"status": "alive", "version": version}, good=True)


async def get_readiness(database: Database, version: str, newest_revision: str, service: ServiceState) -> Response:
    """Return 200 or 503, in either case within about three seconds; 503 also if the service is about to stop."""
    ping = await database.ping(within=_READINESS_TIMEOUT_SECONDS)
    applied = is_applied(ping.revision, newest_revision)
    migrations = ("applied" if applied else "pending") if ping.up else "unknown"
    content = {"version": version, "database": "up" if ping.up else "down", "migrations": migrations}
    ready = applied and service.ready
    return _response({"status": "ready" if ready else "not_ready", **content}, good=ready)


def _response(content: dict[str, Any], *, good: bool) -> Response:
    headers = {"Cache-Control": "no-store"}
    return JSON(content, headers=headers) if good else JSON(content, 503, headers | RETRY_AFTER)
