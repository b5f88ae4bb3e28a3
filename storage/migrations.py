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

_DIRECTORY = Path(__file__).parent.parent / "alembic"
_LOCK = 7_261_042_001


def migrate(url: str) -> None:
    """Bring the database's tables up to date, once however many processes do so at the same time.

    Raises UnsuitableDatabase for a database that cannot serve, Unavailable when it does not answer.
    """
    try:
        with _connect(url, autocommit=True) as connection:
            _check_suitable(connection)
            if is_applied(_revision(connection), head()):
                return
        _upgrade(url)
    except psycopg.OperationalError as error:
        raise Unavailable(str(error)) from error
    except psycopg.Error as error:
        raise UnsuitableDatabase(f"The database cannot be migrated: {error.diag.message_primary or error}.") from error


def _connect(url: str, *, autocommit: bool) -> psycopg.Connection[Any]:
    return psycopg.connect(
        url, autocommit=autocommit, connect_timeout=10, client_encoding="utf8", prepare_threshold=None
    )


def head() -> str:
    """Return the newest revision there is, as the names of its files tell it: Alembic takes 0.2 s to import."""
    return max(file.name for file in (_DIRECTORY / "versions").glob("*.py")).partition("_")[0]


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


def _check_suitable(connection: psycopg.Connection[Any]) -> None:
    if connection.info.server_version < 140000:
        raise UnsuitableDatabase("The database is older than PostgreSQL 14.")
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise UnsuitableDatabase("The database's encoding is not UTF8: create it with ENCODING 'UTF8'.")
    if connection.execute("SELECT 'Ä' ILIKE 'ä'").fetchone() != (True,):
        raise UnsuitableDatabase(
            "The database's locale does not know that Ä is the upper case of ä, so that searches would miss tasks: "
            "create it with a UTF-8 locale, such as LOCALE 'C.UTF-8' or 'en_US.UTF-8'."
        )


def _revision(connection: psycopg.Connection[Any]) -> str | None:
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _upgrade(url: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: _connect(url, autocommit=False),
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
