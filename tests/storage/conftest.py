"""What the tests of the driver share: an observer of the database that each of them names by its fixture `url`."""

from collections.abc import Iterator

import pytest

from tests.support.sessions import Observer, observe


@pytest.fixture
def observer(url: str) -> Iterator[Observer]:
    """Yield an observer of the test's database."""
    with observe(url) as observer:
        yield observer
