"""The tag `preferences`: how a user wants days, weeks and times to be reckoned."""

from typing import Any

from handlers.resources.preferences import preferences_resource
from handlers.resources.revisions import resource_headers
from handlers.responses.entity_tags import is_listed, required_revisions
from handlers.responses.response import JSON, NoContent, Response
from storage import preferences
from storage.driver.database import Database


async def get_preferences(database: Database, user_id: str, if_none_match: str | None) -> Response:
    """Return the preferences, or 304."""
    found = await preferences.get_preferences(database.pipeline, user_id)
    if if_none_match is not None and is_listed(str(found.revision), if_none_match):
        return NoContent(304, resource_headers(found.revision))
    return _shown(found)


async def update_preferences(database: Database, user_id: str, body: dict[str, Any], if_match: str | None) -> Response:
    """Apply the merge patch, and return the preferences."""
    return _shown(await preferences.update_preferences(database, user_id, body, required_revisions(if_match)))


def _shown(found: preferences.Preferences) -> JSON:
    return JSON(preferences_resource(found), headers=resource_headers(found.revision))
