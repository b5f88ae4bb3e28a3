"""Migrations, and whether a database can serve at all."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import NullPool, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from storage.errors import Unavailable, UnsuitableDatabase

if TYPE_CHECKING:
    from alembic.config import Config

_DIRECTORY = Path(__file__).parents[2] / "alembic"
_LOCK = 7_261_042_001


def migrate(url: str) -> None:
    """Bring the database's tables up to date, once however many processes do so at the same time.

    Raises UnsuitableDatabase for a database that cannot serve, Unavailable when it does not answer.
    """
    try:
        with connect(url, autocommit=True) as connection:
            for fault_of in (version_fault, encoding_fault, locale_fault):
                if fault := fault_of(connection):
                    raise UnsuitableDatabase(fault)
            if is_applied(revision_of(connection), head()):
                return
        _upgrade(url)
    except psycopg.OperationalError as error:
        raise Unavailable(str(error)) from error
    except psycopg.Error as error:
        raise UnsuitableDatabase(f"The database cannot be migrated: {error.diag.message_primary or error}.") from error


def connect(url: str, *, autocommit: bool) -> psycopg.Connection[Any]:
    """Return a connection for a few statements. Raises psycopg.OperationalError, at the latest after ten seconds."""
    return psycopg.connect(
        url, autocommit=autocommit, connect_timeout=10, client_encoding="utf8", prepare_threshold=None
    )


def revisions() -> list[str]:
    """Return all revisions, oldest first, as the names of their files tell them: Alembic takes 0.2 s to import."""
    return sorted(file.name.partition("_")[0] for file in (_DIRECTORY / "versions").glob("*.py"))


def head() -> str:
    """Return the newest revision there is."""
    return revisions()[-1]


def is_applied(revision: str | None, newest: str) -> bool:
    """Say whether a database in a revision has all that the newest one known here brings.

    It may be newer: a release must be able to serve what the next one has migrated, as both run during a rollout.
    """
    return revision is not None and re.fullmatch(r"\d{4}", revision) is not None and revision >= newest


def alembic_config() -> "Config":
    """Return Alembic's configuration; `alembic/env.py` finds its connection in `attributes["connection"]`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    return config


def version_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return in a sentence why a database's version cannot serve, None when it can."""
    if connection.info.server_version < 140000:
        return "The database is older than PostgreSQL 14: upgrade it."
    return None


def encoding_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return in a sentence why a database's encoding cannot serve, None when it can."""
    if connection.info.parameter_status("server_encoding") != "UTF8":
        return "The database's encoding is not UTF8: create it with ENCODING 'UTF8'."
    return None


def locale_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return in a sentence why a database's locale cannot serve, None when it can."""
    if connection.execute("SELECT 'Ä' ILIKE 'ä'").fetchone() != (True,):
        return (
            "The database's locale does not know that Ä is the upper case of ä, so that searches would miss tasks: "
            "create it with a UTF-8 locale, such as LOCALE 'C.UTF-8' or 'en_US.UTF-8'."
        )
    return None


def revision_of(connection: psycopg.Connection[Any]) -> str | None:
    """Return the revision that a database's tables are of, None when there are no tables yet."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _upgrade(url: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, autocommit=False),
        poolclass=NullPool,
        # A stricter level would see the database as it was before it waited for the lock.
        isolation_level="READ COMMITTED",
    )
    config = alembic_config()
    try:
        with engine.begin() as connection:
            # Of the transaction: behind a transaction-pooling PgBouncer, a lock of the session would outlive us.
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise UnsuitableDatabase(f"The database is of another version: {error}.") from error
    except DBAPIError as error:
        raise error.orig or error from error
