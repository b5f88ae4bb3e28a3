"""The tag `lists`: what a user's tasks are grouped into."""

from typing import Any
from uuid import UUID

from handlers.resources.idempotency import key_of, replay_headers
from handlers.resources.lists import list_resource, lists_resource, whole_list
from handlers.resources.locations import location
from handlers.resources.revisions import list_headers, list_not_modified, resource_headers
from handlers.resources.spots import spot_of
from handlers.responses.entity_tags import is_listed, required_revisions
from handlers.responses.response import JSON, NoContent, Response
from storage import list_deletions, list_moves, lists
from storage.driver.database import Database
from storage.list_rows import TodoList


async def list_lists(database: Database, user_id: str, archived: lists.Archived, if_none_match: str | None) -> Response:
    """Return the lists, or 304."""
    if not_modified := await list_not_modified(database.pipeline, user_id, if_none_match):
        return not_modified
    head, found = await lists.list_lists(database.pipeline, user_id, archived)
    return JSON(lists_resource(found), headers=list_headers(head))


async def create_list(
    database: Database, user_id: str, body: dict[str, Any], idempotency_key: str | None, fingerprint: bytes | None
) -> Response:
    """Create a list, and return it with its path. A request with a key that took effect earlier returns its list."""
    written = await lists.create_list(database, user_id, body, key_of(idempotency_key, fingerprint))
    return _written(written)


async def get_list(database: Database, user_id: str, list_id: UUID, if_none_match: str | None) -> Response:
    """Return the list, or 304."""
    found = await lists.get_list(database.pipeline, user_id, list_id)
    if if_none_match is not None and is_listed(str(found.revision), if_none_match):
        return NoContent(304, resource_headers(found.revision))
    return _shown(found)


async def put_list(
    database: Database,
    user_id: str,
    list_id: UUID,
    body: dict[str, Any],
    if_match: str | None,
    if_none_match: str | None,
) -> Response:
    """Create or replace the list, and return it."""
    written = await lists.put_list(
        database,
        user_id,
        list_id,
        whole_list(body),
        # The contract allows only `*`: the list must not be there, so no revision is accepted.
        revisions=required_revisions(if_match) if if_none_match is None else [],
        may_create=if_match is None,
    )
    return _written(written)


async def update_list(
    database: Database, user_id: str, list_id: UUID, body: dict[str, Any], if_match: str | None
) -> Response:
    """Apply the merge patch, and return the list."""
    return _shown(await lists.update_list(database, user_id, list_id, body, required_revisions(if_match)))


async def move_list(
    database: Database, user_id: str, list_id: UUID, body: dict[str, Any], if_match: str | None
) -> Response:
    """Move the list to another place among the user's lists, and return it."""
    moved = await list_moves.move_list(database, user_id, list_id, spot_of(body), required_revisions(if_match))
    return _shown(moved)


async def delete_list(database: Database, user_id: str, list_id: UUID, if_match: str | None) -> Response:
    """Delete the list and its tasks, and return no content."""
    await list_deletions.delete_list(database, user_id, list_id, required_revisions(if_match))
    return NoContent()


async def restore_list(database: Database, user_id: str, list_id: UUID) -> Response:
    """Restore the list and the tasks that were deleted with it, and return the list."""
    return _shown(await list_deletions.restore_list(database, user_id, list_id))


def _shown(found: TodoList) -> JSON:
    return JSON(list_resource(found), headers=resource_headers(found.revision))


def _written(written: lists.Written) -> JSON:
    if not written.is_new:
        return _shown(written.list)
    found = written.list
    headers = {**location(found.user_id, "lists", found.id), **resource_headers(found.revision)}
    return JSON(list_resource(found), 201, {**headers, **replay_headers(is_replayed=written.is_replayed)})
