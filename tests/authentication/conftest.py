"""The fixture that tests of public keys share."""

from collections.abc import Iterator

import pytest

from tests.support.jwks import Api, service_with_host


@pytest.fixture(scope="module")
def shared(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Yield a service that the tests of a file share, and a host that publishes keys for it."""
    with service_with_host(tmp_path_factory.mktemp("jwks"), database) as api:
        yield api
