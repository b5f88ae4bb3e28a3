"""A network forgets the connections to the database: their packets vanish, while new connections work."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.client import User
from tests.support.faulty_proxy import faulty_proxy
from tests.support.locked import locked_writes
from tests.support.postgres import new_database
from tests.support.server import serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's socket filters")

SOON = "?tcp_user_timeout=2000"


@pytest.fixture
def forgotten(postgres: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[User]:
    """Yield a user of a service whose five idle connections have been forgotten, with these parameters in their URL."""
    database = new_database(postgres)
    # A read that reaches its time limit fails.
    limit = "5" if request.param else "10"
    settings = {"DATABASE_STATEMENT_TIMEOUT": limit, "DATABASE_POOL_MAX_SIZE": "5"}
    with (
        faulty_proxy(database) as proxy,
        serve(tmp_path, DATABASE_URL=proxy.url + request.param, **settings) as url,
        User(url, "ada") as ada,
    ):
        ada.create("kept")
        with locked_writes(database, url, writes=5, connections=5):
            pass
        proxy.lose_packets()
        yield ada


@pytest.mark.parametrize("forgotten", ["", SOON], ids=["by default", "set in the URL"], indirect=True)
def test_no_read_fails_one_after_the_other(forgotten: User) -> None:
    assert [forgotten.get("/tasks", timeout=60).status_code for _ in range(10)] == [200] * 10


@pytest.mark.parametrize("forgotten", [SOON], indirect=True)
def test_no_read_fails_at_the_same_time(forgotten: User) -> None:
    with ThreadPoolExecutor() as threads:
        asked = [threads.submit(forgotten.get, "/tasks", timeout=60) for _ in range(10)]
        assert [one.result().status_code for one in asked] == [200] * 10


@pytest.mark.parametrize("forgotten", [""], indirect=True)
def test_no_read_fails_while_others_of_the_same_user_wait_for_an_answer(forgotten: User) -> None:
    with ThreadPoolExecutor(60) as threads:
        asked = []
        for _ in range(60):
            asked.append(threads.submit(forgotten.get, "/tasks", timeout=60))
            time.sleep(0.05)
        assert [one.result().status_code for one in asked] == [200] * 60


def test_reads_that_wait_for_the_only_connection_get_a_new_one(postgres: str, tmp_path: Path) -> None:
    with faulty_proxy(new_database(postgres)) as proxy:
        settings = {"DATABASE_URL": proxy.url, "DATABASE_POOL_MAX_SIZE": "1"}
        with serve(tmp_path, **settings) as url, User(url, "ada") as ada, ThreadPoolExecutor() as threads:
            ada.create("kept")
            # The service has work of its own when it starts, and what has been written must not be repeated.
            time.sleep(2)
            proxy.lose_packets()
            asked = []
            for _ in range(5):
                asked.append(threads.submit(ada.get, "/tasks", timeout=60))
                time.sleep(0.05)
            assert [one.result().status_code for one in asked] == [200] * 5


@pytest.mark.parametrize("forgotten", [SOON], indirect=True)
def test_at_most_one_write_fails(forgotten: User) -> None:
    written = [forgotten.request("POST", "/tasks", json={"title": str(n)}, timeout=60).status_code for n in range(10)]
    assert sorted(written)[:9] == [201] * 9
    assert {str(n) for n in range(10) if written[n] == 201} <= set(forgotten.titles())
