"""The tag `events`: the moment at which something changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from handlers.authentication.principal import Principal
from handlers.resources.events import STREAM_HEADERS, bye, events
from handlers.resources.sync_tokens import read_token
from handlers.responses.response import Response
from handlers.responses.streams import Stream
from storage import changes
from storage.driver.database import Database
from storage.watchers import Watchers


async def stream_events(
    database: Database,
    watchers: Watchers,
    principal: Principal,
    user_id: str,
    sync_token: str | None,
    last_event_id: str | None,
) -> Response:
    """Return the stream, whose events begin once the server listens for the user's changes."""
    token = read_token(last_event_id or sync_token)
    changes.check(token, await changes.get_head(database.pipeline, user_id))

    @asynccontextmanager
    async def opened() -> AsyncIterator[AsyncIterator[bytes]]:
        async with watchers.watch(user_id) as watch:
            head = await changes.get_head(database.pipeline, user_id)
            changes.check(token, head)
            yield events(watch, head, token, principal["expires_at"])

    return Stream(opened, "text/event-stream", STREAM_HEADERS, farewell=bye("shutdown"))
