"""One PostgreSQL and one server shared by all tests; every test has its own users."""

import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.administration.migrations import migrate
from tests.support.client import User
from tests.support.contract_coverage import ContractCoverage
from tests.support.given_database import GIVEN, GivenDatabase
from tests.support.postgres import new_database, odd_database, private_postgres
from tests.support.server import serve


def pytest_configure(config: pytest.Config) -> None:
    """Check every response against the contract, and report declared responses that no test received."""
    config.pluginmanager.register(ContractCoverage(config))
    if GIVEN:
        config.pluginmanager.register(GivenDatabase())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out slow tests unless `-m` selects tests, and run files with few tests first.

    Their tests take longer than most, and workers would sit idle if such a test started last.
    """
    if not config.getoption("markexpr"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: tests[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn every skip into a failure in CI, where everything the tests need is installed."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but CI must not skip any test: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the URL of a private PostgreSQL server."""
    with private_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def database(postgres: str) -> str:
    """Return the URL of the service's database, which has deliberately unusual defaults."""
    return odd_database(postgres)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a running service.

    It names no `database`: the tests that do, use the database themselves, and never one that is given.
    """
    directory: Path = tmp_path_factory.mktemp("server")
    with serve(directory, DATABASE_URL=GIVEN or request.getfixturevalue("database")) as url:
        yield url


@pytest.fixture
def ada(server: str) -> Iterator[User]:
    """Yield a user who owns nothing yet."""
    with User(server, f"ada-{uuid4().hex}") as user:
        yield user


@pytest.fixture
def grace(server: str) -> Iterator[User]:
    """Yield a second user who owns nothing yet."""
    with User(server, f"grace-{uuid4().hex}") as user:
        yield user


@pytest.fixture
def own_database(postgres: str) -> str:
    """Return the URL of a migrated database of the test's own."""
    url = new_database(postgres)
    migrate(url)
    return url


@pytest.fixture
def eve(own_database: str, tmp_path: Path) -> Iterator[User]:
    """Yield a user of a service of the test's own, on that database."""
    with serve(tmp_path, DATABASE_URL=own_database) as server, User(server, "eve") as user:
        yield user
