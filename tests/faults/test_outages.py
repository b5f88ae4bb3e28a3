"""The database is away for a while: who waits, who gets 503 at once, and how soon requests succeed again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.client import User
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.postgres import new_database
from tests.support.server import serve
from tests.support.sessions import Observer, observe

# Far longer than anything in these tests takes if nobody waits for it.
POOL_TIMEOUT = 30


class Served(NamedTuple):
    """A user of a service that reaches its database through a proxy."""

    ada: User
    proxy: FaultyProxy
    observer: Observer

    def end_database(self) -> None:
        """Reset all connections to the database, and let no new one be made."""
        self.proxy.away = True
        self.proxy.reset(after=b"")

    def get(self) -> httpx.Response:
        """Request the list of tasks."""
        return self.ada.get("/tasks", timeout=POOL_TIMEOUT)

    def seconds(self) -> float:
        """Return how long it takes until a request fails because the database is away."""
        started = time.monotonic()
        assert self.get().status_code == 503
        return time.monotonic() - started


@pytest.fixture
def served(postgres: str, tmp_path: Path) -> Iterator[Served]:
    """Serve a new database through a proxy."""
    database = new_database(postgres)
    with (
        observe(database) as observer,
        faulty_proxy(database) as proxy,
        serve(tmp_path, DATABASE_URL=proxy.url, DATABASE_POOL_TIMEOUT=str(POOL_TIMEOUT)) as url,
        User(url, "ada") as ada,
    ):
        ada.create("kept")
        yield Served(ada, proxy, observer)


def test_an_outage_of_less_than_a_second_fails_no_read(served: Served) -> None:
    with ThreadPoolExecutor() as threads:
        served.end_database()
        waiting = [threads.submit(served.get) for _ in range(5)]
        time.sleep(0.2)
        served.proxy.away = False
        assert [one.result().status_code for one in waiting] == [200] * 5


def test_during_a_long_outage_nobody_waits_for_the_pool_timeout(served: Served) -> None:
    with ThreadPoolExecutor() as threads:
        served.end_database()
        assert max(threads.map(lambda _: served.seconds(), range(5))) < POOL_TIMEOUT / 3
    # Twenty in a row would take ten minutes.
    assert sum(served.seconds() for _ in range(20)) < POOL_TIMEOUT / 3


def test_the_service_connects_again_though_no_request_waits_for_it(served: Served) -> None:
    served.end_database()
    served.seconds()
    assert not served.observer.backends()
    served.proxy.away = False
    deadline = time.monotonic() + 10
    while not served.observer.backends():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # The session is there before the service has been told so.
    while served.get().status_code == 503:
        assert time.monotonic() < deadline
    assert served.ada.titles() == ["kept"]
