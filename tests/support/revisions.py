"""Databases as earlier releases left them."""

import psycopg
from alembic import command
from sqlalchemy import create_engine

from storage.administration.migrations import alembic_config


def migrate_to(revision: str, url: str) -> None:
    """Apply the migrations up to this one."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
