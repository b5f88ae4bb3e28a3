"""The tag `tags`: the names that a user's tasks carry."""

from handlers.contract.operation import Answer
from handlers.resources.tasks import PRIVATE, list_tag, tag_resource
from handlers.responses.entity_tags import list_not_modified
from storage import tags
from storage.driver.database import Database


async def list_tags(database: Database, user_id: str, if_none_match: str | None) -> Answer:
    """Answer with the tags in use, or 304."""
    async with database.connection() as connection:
        if not_modified := await list_not_modified(connection, user_id, if_none_match):
            return not_modified
        revision, found = await tags.list_tags(connection, user_id)
    return [tag_resource(tag) for tag in found], 200, {"ETag": list_tag(revision), **PRIVATE}
