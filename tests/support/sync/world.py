"""The service and its database, and everything that may befall them while devices synchronise."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg

from storage.administration.migrations import migrate
from tests.support.crashes import crash_postgres, kill_service, wait_for_recovery
from tests.support.server import free_port, run, start
from tests.support.sync.journal import WITNESS

# What was deleted long ago, without waiting.
AGE = """
UPDATE tasks SET deleted_at = deleted_at - interval '40 days' WHERE deleted_at IS NOT NULL AND id <> ALL(%s::uuid[])
"""
AGE_LISTS = "UPDATE lists SET deleted_at = deleted_at - interval '40 days' WHERE deleted_at IS NOT NULL"
LISTENERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"


class World:
    """A service at `url` with a database of its own, which notes every write."""

    def __init__(self, directory: Path, database: str, stack: ExitStack, settings: Mapping[str, str]) -> None:
        self.database = database
        self._directory = directory
        self._stack = stack
        self._settings = {"DATABASE_URL": database, "PORT": str(free_port()), **settings}
        migrate(database)
        with psycopg.connect(database) as connection:
            connection.execute(WITNESS)
        self._service = stack.enter_context(start(directory, **self._settings))
        self.url = self._service.url

    def kill(self) -> None:
        """Kill the service."""
        kill_service(self._service)

    def restart(self) -> None:
        """Kill the service, and start it again at the same address."""
        self.kill()
        wait_for_recovery(self.database)
        self._service = self._stack.enter_context(start(self._directory, **self._settings))

    def crash_database(self) -> None:
        """Make PostgreSQL end all sessions and recover."""
        crash_postgres(self.database)
        wait_for_recovery(self.database)

    def cut_listener(self) -> None:
        """End the sessions that listen for announcements."""
        with suppress(psycopg.Error), psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(LISTENERS)

    def age_trash(self, kept: Iterable[str]) -> None:
        """Make everything in the trash so old that it is purged, but for these ids."""
        with psycopg.connect(self.database) as connection:
            connection.execute(AGE, [list(kept)])
            connection.execute(AGE_LISTS)

    def purge_trash(self) -> None:
        """Purge what was deleted long ago."""
        self._run("purge")

    def reset_sync(self) -> None:
        """Give every account a new epoch, as after a backup was restored."""
        self._run("reset-sync")

    def _run(self, command: str) -> None:
        done = run(command, directory=self._directory, settings={"DATABASE_URL": self.database})
        assert done.returncode == 0, done.stderr


@contextmanager
def world(directory: Path, database: str, **settings: str) -> Iterator[World]:
    """Run the service on an empty database."""
    with ExitStack() as stack:
        one = World(directory, database, stack, settings)
        yield one
        one.kill()
