"""A second service on the database of the first one."""

from collections.abc import Iterator

import pytest

from tests.support.client import User
from tests.support.server import serve


@pytest.fixture(scope="module")
def other_server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a second service on the same database."""
    with serve(tmp_path_factory.mktemp("other"), DATABASE_URL=database) as url:
        yield url


@pytest.fixture
def same_ada(ada: User, other_server: str) -> Iterator[User]:
    """Yield Ada, as a client of the second service."""
    with User(other_server, ada.id) as user:
        yield user
