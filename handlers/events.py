"""The tag `events`: the moment at which something changes."""

from handlers.responses.response import Response
from storage.driver.database import Database


async def stream_events(
    database: Database, user_id: str, sync_token: str | None, last_event_id: str | None
) -> Response:
    raise NotImplementedError
