"""Migrations, and checks whether the service can use a database."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import NullPool, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from storage.administration.cluster import nodes_fault
from storage.administration.connection import LOCK, connect, failing_as
from storage.administration.distribution import distributing
from storage.errors import UnsuitableDatabase

if TYPE_CHECKING:
    from alembic.config import Config

_DIRECTORY = Path(__file__).parents[2] / "alembic"
_logger = logging.getLogger(__name__)


def migrate(url: str) -> None:
    """Bring the database's tables up to date. Of several processes that do so at the same time, only one changes them.

    Raises UnsuitableDatabase if the service cannot use the database, and Unavailable if the database does not respond.
    """
    with failing_as("The database cannot be migrated"):
        with connect(url, autocommit=True) as connection:
            for fault_of in (version_fault, encoding_fault, locale_fault, nodes_fault):
                if fault := fault_of(connection):
                    raise UnsuitableDatabase(fault)
            before = revision_of(connection)
        if not is_applied(before, head()):
            _upgrade(url, is_new=before is None)


def revisions() -> list[str]:
    """Return the revisions of all migrations, oldest first.

    They are read from file names, because importing Alembic takes 0.2 s.
    """
    return sorted(file.name.partition("_")[0] for file in (_DIRECTORY / "versions").glob("*.py"))


def head() -> str:
    """Return the revision of the newest migration."""
    return revisions()[-1]


def is_applied(revision: str | None, newest: str) -> bool:
    """Return whether a database at `revision` has all migrations up to `newest`.

    It may have later ones: during a rollout, a release must work on a database that the next release has migrated.
    """
    return revision is not None and re.fullmatch(r"\d{4}", revision) is not None and revision >= newest


def alembic_config() -> "Config":
    """Return Alembic's configuration. The caller sets `attributes["connection"]`, which `alembic/env.py` uses."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    return config


def version_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return a sentence that says why the database's version is unsuitable, None if it is suitable."""
    if connection.info.server_version < 140000:
        return "The database is older than PostgreSQL 14: upgrade it."
    return None


def encoding_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return a sentence that says why the database's encoding is unsuitable, None if it is suitable."""
    if connection.info.parameter_status("server_encoding") != "UTF8":
        return "The database's encoding is not UTF8: recreate the database with ENCODING 'UTF8'."
    return None


def locale_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return a sentence that says why the database's locale is unsuitable, None if it is suitable."""
    if connection.execute("SELECT 'Ä' ILIKE 'ä'").fetchone() != (True,):
        return (
            "The database's locale does not map Ä to ä, so searches would miss tasks: "
            "recreate the database with a UTF-8 locale, such as LOCALE 'C.UTF-8' or 'en_US.UTF-8'."
        )
    return None


def revision_of(connection: psycopg.Connection[Any]) -> str | None:
    """Return the revision of the last migration applied to the database, None if there is none."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _upgrade(url: str, *, is_new: bool) -> None:
    from alembic.util import CommandError

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, autocommit=False),
        poolclass=NullPool,
        # Under a stricter level, the transaction would see the database as it was before the wait for the lock.
        isolation_level="READ COMMITTED",
    )
    config = alembic_config()
    try:
        # One transaction each: a migration that commits batches, on another connection, must see the tables.
        for revision in revisions():
            with engine.begin() as connection:
                # Not a session lock, which would remain on the server connection of a PgBouncer in transaction mode.
                connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                config.attributes["connection"] = connection
                _apply(revision, config, level=logging.DEBUG if is_new else logging.INFO)
    except CommandError as error:
        raise UnsuitableDatabase(f"The database has a migration that this release does not have: {error}.") from error
    except DBAPIError as error:
        raise error.orig or error from error
    if is_new:
        _logger.info("Created the tables in a new database")


def _apply(revision: str, config: "Config", *, level: int) -> None:
    """Apply a migration, unless another process has applied it meanwhile."""
    from alembic import command
    from alembic.script import ScriptDirectory

    connection = config.attributes["connection"].connection.driver_connection
    if is_applied(revision_of(connection), revision):
        return
    script = ScriptDirectory.from_config(config).get_revision(revision)
    _logger.log(level, "Running migration %s: %s", revision, script.doc)
    with distributing(connection):
        command.upgrade(config, revision)
