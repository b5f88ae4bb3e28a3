"""`todo-api reset-sync`: makes all sync tokens invalid, after a backup has been restored."""

import asyncio

from handlers.service.command_database import command_database
from handlers.settings.settings import Settings
from storage.administration.first_revision import raise_first_revision
from storage.epochs import change_epochs


def reset_sync(settings: Settings) -> int:
    """Give every account another epoch; return how many accounts there are.

    Raises Unavailable and UnsuitableDatabase.
    """
    raise_first_revision(settings.database_url or "")
    return asyncio.run(_reset(settings))


async def _reset(settings: Settings) -> int:
    async with command_database(settings) as database:
        return sum([size async for size in change_epochs(database)])
