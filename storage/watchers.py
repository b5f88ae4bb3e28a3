"""Watchers: who waits for changes of a user in this process, and the reads that find them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.changes import Head
from storage.driver.database import Database


class Watch:
    """A user's head, for somebody who waits until it changes."""

    async def next(self, seen: Head, timeout: float) -> Head | None:  # noqa: ASYNC109 - None is no error
        """Return the user's head as soon as it differs from `seen`, None after `timeout` seconds."""
        raise NotImplementedError


class Watchers:
    """The watches of this process."""

    def __init__(self, database: Database, *, per_user: int, per_worker: int) -> None:
        """Allow so many watches of one user, and of all users together."""
        self._database, self._per_user, self._per_worker = database, per_user, per_worker

    def __len__(self) -> int:
        """Return how many watches there are."""
        return 0

    @asynccontextmanager
    async def watch(self, user_id: str) -> AsyncIterator[Watch]:
        """Watch a user until the end of the `with` block, which begins once announcements are heard.

        Raises TooManyWatchers if the user has too many, and Full if this process has too many.
        """
        yield Watch()

    async def close(self) -> None:
        """End the tasks that serve the watches."""
