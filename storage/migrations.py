"""Migrations, and whether a database can serve at all."""

from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from storage.errors import Unavailable, UnsuitableDatabase

_DIRECTORY = Path(__file__).parent.parent / "alembic"
_LOCK = 7_261_042_001


def migrate(url: str) -> None:
    """Bring the database's tables up to date, once however many processes do so at the same time.

    Raises UnsuitableDatabase for a database that cannot serve, Unavailable when it does not answer.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            _check_suitable(connection)
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
            with engine.connect() as alembic_connection:
                _upgrade(alembic_connection)
            engine.dispose()
    except psycopg.OperationalError as error:
        raise Unavailable(str(error)) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise UnsuitableDatabase(f"The database's user may not migrate: {error.diag.message_primary}.") from error


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


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    if MigrationContext.configure(connection).get_current_heads() == (
        ScriptDirectory.from_config(config).get_current_head(),
    ):
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def alembic_config() -> Config:
    """Return Alembic's configuration; `alembic/env.py` finds its connection in `attributes["connection"]`."""
    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    return config
