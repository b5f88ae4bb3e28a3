"""Connections for the operator's commands, and what their failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from storage.errors import Unavailable, UnsuitableDatabase

# The transaction-level advisory lock that every transaction holds which changes the tables.
LOCK = 7_261_042_001


def connect(url: str, *, autocommit: bool) -> psycopg.Connection[Any]:
    """Return a connection for a few statements.

    Raises psycopg.OperationalError. Unless the URL has a `connect_timeout`, each of its hosts has ten seconds.
    """
    options: dict[str, Any] = {"autocommit": autocommit, "client_encoding": "utf8", "prepare_threshold": None}
    if "connect_timeout" not in conninfo_to_dict(url):
        options["connect_timeout"] = 10
    return psycopg.connect(url, **options)


@contextmanager
def failing_as(sentence: str) -> Iterator[None]:
    """Raise Unavailable if the database does not respond, and UnsuitableDatabase if it refuses a statement.

    `sentence`, without a full stop, says what cannot be done then.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable(str(error)) from error
    except psycopg.Error as error:
        raise UnsuitableDatabase(f"{sentence}: {error.diag.message_primary or error}.") from error
