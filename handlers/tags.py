"""The tag `tags`: the names that a user's tasks carry."""

from typing import Any

from handlers.resources.idempotency import key_of
from handlers.resources.revisions import list_headers, list_not_modified
from handlers.resources.tags import tag_resource
from handlers.resources.task_sets import outcome_response
from handlers.responses.response import JSON, Response
from storage import tags
from storage.driver.database import Database


async def list_tags(database: Database, user_id: str, if_none_match: str | None) -> Response:
    """Return the tags in use, or 304."""
    if not_modified := await list_not_modified(database.pipeline, user_id, if_none_match):
        return not_modified
    head, found = await tags.list_tags(database.pipeline, user_id)
    return JSON([tag_resource(tag) for tag in found], headers=list_headers(head))


async def rename_tag(
    database: Database,
    user_id: str,
    name: str,
    body: dict[str, Any],
    idempotency_key: str | None,
    fingerprint: bytes | None,
) -> Response:
    """Rename the tag on all tasks that carry it, and return how many changed."""
    outcome = await tags.rename_tag(database, user_id, name, body["name"], key_of(idempotency_key, fingerprint))
    return outcome_response(outcome, "changed", "revision")


async def remove_tag(
    database: Database, user_id: str, name: str, idempotency_key: str | None, fingerprint: bytes | None
) -> Response:
    """Remove the tag from all tasks that carry it, and return how many changed."""
    outcome = await tags.remove_tag(database, user_id, name, key_of(idempotency_key, fingerprint))
    return outcome_response(outcome, "changed", "revision")
