"""Locations: the paths of what a request has created."""

from functools import lru_cache
from urllib.parse import quote
from uuid import UUID


def location(user_id: str, kind: str, resource_id: UUID) -> dict[str, str]:
    """Return the header with the path of a user's resource; `kind` is a part of the path, such as "tasks"."""
    return {"Location": f"/api/{_encoded(user_id)}/{kind}/{resource_id}"}


@lru_cache(1024)
def _encoded(segment: str) -> str:
    return quote(segment, safe="")
