"""The tag `changes`: what has changed since a client last asked."""

from functools import partial

from handlers.resources.changes import changes_resource
from handlers.resources.revisions import NOT_STORED
from handlers.resources.sync_tokens import read_token
from handlers.responses.response import JSON, Response
from handlers.responses.streams import LongPoll
from storage import changes
from storage.changes import Changes
from storage.driver.database import Database
from storage.watchers import Watchers


async def list_changes(
    database: Database, watchers: Watchers, user_id: str, sync_token: str | None, limit: int, wait: int
) -> Response:
    """Return one page of changes since the token. If there are none, the response may wait for the next change."""
    token = read_token(sync_token)
    page = await changes.list_changes(database.pipeline, user_id, token, limit)
    if not wait or token is None or token.revision < page.head.revision:
        return _shown(page)

    async def next_page() -> Response:
        return _shown(await changes.list_changes(database.pipeline, user_id, token, limit))

    return LongPoll(partial(watchers.wait, user_id, page.head, wait), next_page, otherwise=_shown(page))


def _shown(page: Changes) -> JSON:
    return JSON(changes_resource(page), headers=NOT_STORED)
