"""`todo-api purge`: what the jobs delete once a day, deleted at once."""

import asyncio

from handlers.jobs import jobs_of
from handlers.settings.settings import Settings
from storage.driver.database import Database


def purge(settings: Settings) -> tuple[int, ...]:
    """Run each job to its end; return how many rows each has deleted. Raises Unavailable."""
    return asyncio.run(_purge(settings))


async def _purge(settings: Settings) -> tuple[int, ...]:
    database = Database(
        settings.database_url or "",
        min_size=0,
        max_size=2,
        pool_timeout=settings.pool_timeout,
        statement_timeout=settings.statement_timeout,
        prepared_statements=False,
    )
    await database.open()
    try:
        jobs = jobs_of(trash_days=settings.trash_retention_days, key_days=settings.idempotency_retention_days)
        return tuple([sum([size async for size in job.run(database)]) for job in jobs])
    finally:
        await database.close()
