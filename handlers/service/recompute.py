"""`todo-api recompute`: brings the times at which tasks are due up to date, after an update of tzdata."""

import asyncio

from handlers.service.command_database import command_database
from handlers.settings.settings import Settings
from storage import recomputing


def recompute(settings: Settings) -> int:
    """Recompute all tasks; return how many have changed. Raises Unavailable."""
    return asyncio.run(_recompute(settings))


async def _recompute(settings: Settings) -> int:
    async with command_database(settings) as database:
        return sum([size async for size in recomputing.recompute(database)])
