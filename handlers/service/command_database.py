"""The database as the commands use it that do their work and end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from handlers.settings.settings import Settings
from storage.driver.database import Database


@asynccontextmanager
async def command_database(settings: Settings) -> AsyncIterator[Database]:
    """Yield the database of `settings`, open. It uses two connections at most."""
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
        yield database
    finally:
        await database.close()
