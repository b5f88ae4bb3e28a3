"""How many streams and waiting requests there may be: per user, and per worker."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.support.client import User
from tests.support.events import streaming
from tests.support.server import serve
from tests.sync.test_events import token_of


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[str]:
    """Yield the URL of a service that allows a user two streams, and all users three."""
    directory: Path = tmp_path_factory.mktemp("limited")
    with serve(directory, DATABASE_URL=database, EVENTS_PER_USER="2", EVENTS_PER_WORKER="3") as url:
        yield url


@pytest.fixture
def users(limited: str) -> Iterator[list[User]]:
    """Yield three users of that service."""
    with ExitStack() as stack:
        yield [stack.enter_context(User(limited, f"user-{uuid4().hex}")) for _ in range(3)]


def is_rejected(response: httpx.Response, status: int, kind: str) -> bool:
    """Return whether a response is this problem, and says when to try again."""
    return (
        response.status_code == status
        and response.json()["type"] == f"urn:problem-type:todo-api:{kind}"
        and int(response.headers["Retry-After"]) > 0
    )


def test_a_user_may_have_so_many_streams(users: list[User]) -> None:
    ada, grace, _ = users
    with streaming(ada) as first, streaming(ada) as second:
        assert {first.next().name, second.next().name} == {"ready"}
        assert is_rejected(ada.get("/events"), 429, "too-many-streams")
        waiting = ada.get("/changes", params={"sync_token": token_of(ada), "wait": 5})
        assert is_rejected(waiting, 429, "too-many-streams")
        assert ada.request("HEAD", "/events").status_code == 200
        with streaming(grace) as other:
            assert other.next().name == "ready"


def test_a_stream_that_ends_makes_room(users: list[User]) -> None:
    ada = users[0]
    for _ in range(5):
        with streaming(ada) as first, streaming(ada) as second:
            assert {first.next().name, second.next().name} == {"ready"}


def test_waiting_requests_count_as_streams_do(users: list[User]) -> None:
    ada = users[0]
    params = {"sync_token": token_of(ada), "wait": 2}
    with ThreadPoolExecutor(3) as pool:
        statuses = [one.status_code for one in pool.map(lambda _: ada.get("/changes", params=params), range(3))]
    assert sorted(statuses) == [200, 200, 429]


def test_a_worker_serves_so_many_streams(users: list[User]) -> None:
    ada, grace, joan = users
    with streaming(ada) as first, streaming(ada) as second, streaming(grace) as third:
        assert {first.next().name, second.next().name, third.next().name} == {"ready"}
        assert is_rejected(joan.get("/events"), 503, "service-unavailable")
        waiting = joan.get("/changes", params={"sync_token": token_of(joan), "wait": 5})
        assert is_rejected(waiting, 503, "service-unavailable")
        assert joan.get("/changes").status_code == 200
