"""An answer that is lost right after the commit: the same request with its key gets it, and writes nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import LiteralString

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.faulty_proxy import faulty_proxy
from tests.support.postgres import new_database
from tests.support.server import start

COMMITTED = "SELECT EXISTS (SELECT FROM tasks WHERE title = 'Once')"
# The service runs them after its first request.
JOBS_ARE_DONE = "SELECT count(*) = 2 FROM leases WHERE expires_at > now() + interval '1 hour'"


def post(user: User) -> httpx.Response:
    """Create a task with a key."""
    return user.request("POST", "/tasks", json={"title": "Once"}, headers={"Idempotency-Key": '"once"'})


def wait_until(url: str, condition: LiteralString) -> None:
    """Wait until a query returns true. Raises TimeoutError after 10 seconds."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(1000):
            if connection.execute(condition).fetchone() == (True,):
                return
            time.sleep(0.01)
    raise TimeoutError


@pytest.mark.parametrize("lost", ["service", "connection"])
def test_the_repetition_gets_the_answer_that_was_lost(postgres: str, tmp_path: Path, lost: str) -> None:
    url = new_database(postgres)
    with faulty_proxy(url) as proxy, ThreadPoolExecutor(1) as threads:
        with start(tmp_path, DATABASE_URL=proxy.url) as service, User(service.url, "ada") as ada:
            ada.create("Before")
            wait_until(url, JOBS_ARE_DONE)
            # The reply stays in the proxy until the fault is over.
            proxy.delay = 2.0
            first = threads.submit(post, ada)
            wait_until(url, COMMITTED)
            if lost == "service":
                service.process.kill()
                with pytest.raises(httpx.TransportError):
                    first.result()
            else:
                proxy.reset(after=b"")
                assert first.result().status_code == 503
        with start(tmp_path, DATABASE_URL=url) as service, User(service.url, "ada") as ada:
            again = post(ada)
            assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, "true")
            assert ada.http.get(again.headers["Location"]).json() == again.json()
            assert again.json()["revision"] == 2
            assert ada.titles() == ["Once", "Before"]
