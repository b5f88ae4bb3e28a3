"""`todo-api purge`: what the jobs delete once a day, deleted at once."""

import asyncio

from handlers.jobs import jobs_of
from handlers.service.command_database import command_database
from handlers.settings.settings import Settings


def purge(settings: Settings) -> tuple[int, ...]:
    """Run each job to its end; return how many rows each has deleted. Raises Unavailable."""
    return asyncio.run(_purge(settings))


async def _purge(settings: Settings) -> tuple[int, ...]:
    async with command_database(settings) as database:
        jobs = jobs_of(trash_days=settings.trash_retention_days, key_days=settings.idempotency_retention_days)
        return tuple([sum([size async for size in job.run(database)]) for job in jobs])
