"""What the tests of the driver share: an observer of the database that each of them names by its fixture `url`."""

from collections.abc import Iterator

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.postgres import new_database
from tests.support.sessions import Observer, observe


@pytest.fixture
def observer(url: str) -> Iterator[Observer]:
    """Yield an observer of the test's database."""
    with observe(url) as observer:
        yield observer


@pytest.fixture(scope="session")
def watched(postgres: str) -> str:
    """Return the URL of a database that has the service's tables, for the tests of `unused`."""
    url = new_database(postgres)
    migrate(url)
    return url


@pytest.fixture
def unused(watched: str) -> str:
    """Return the URL of a database that has the service's tables, without rows, and that nobody else uses."""
    with psycopg.connect(watched) as connection:
        connection.execute("TRUNCATE accounts")
    return watched
