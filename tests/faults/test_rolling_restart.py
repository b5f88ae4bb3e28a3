"""Two instances behind HAProxy are replaced one after the other, while clients send requests: none is lost."""

import csv
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.haproxy import haproxy, needs_haproxy
from tests.support.postgres import new_database
from tests.support.server import Service, free_port, start
from tests.support.workers import PATIENCE, wait_until_all_serve

pytestmark = needs_haproxy

CLIENTS = 16
# No `retry-on` and no `option redispatch`: HAProxy sends a request again only if it could not connect.
# Without `timeout check`, an instance that takes all the load would be down if it answered later than after 100 ms.
FRONT = """
frontend public
    bind 127.0.0.1:{front}
    stats enable
    stats uri /instances
    default_backend api
backend api
    option httpchk GET /health/ready
    timeout check 2s
    default-server check inter 100ms fall 2 rise 2
    server first 127.0.0.1:{first}
    server second 127.0.0.1:{second}
"""


class Sent(NamedTuple):
    """What a client has sent: the titles that were acknowledged, and how often each outcome occurred."""

    titles: list[str]
    outcomes: Counter[str]


class Fleet:
    """Two instances behind HAProxy, which listens on `port`."""

    def __init__(self, directory: Path, stack: ExitStack, settings: dict[str, str]) -> None:
        self.port = free_port()
        self._directory = directory
        self._stack = stack
        self._settings = settings
        self._ports = {"first": free_port(), "second": free_port()}
        self._services: dict[str, Service] = {}
        for name in self._ports:
            self._start(name)
        stack.enter_context(haproxy(directory, FRONT.format(front=self.port, **self._ports), self.port))
        for name in self._ports:
            self._wait_until_used(name)

    def restart(self, name: str) -> None:
        """Replace an instance, and wait until HAProxy uses the new one."""
        assert self._services[name].stop() == 0
        self._start(name)
        self._wait_until_used(name)

    def _start(self, name: str) -> None:
        service = self._stack.enter_context(start(self._directory, PORT=str(self._ports[name]), **self._settings))
        wait_until_all_serve(service, int(self._settings["WEB_CONCURRENCY"]))
        self._services[name] = service

    def _wait_until_used(self, name: str) -> None:
        """Wait until HAProxy has found that an instance is ready, after it has found that the last one is not."""
        deadline = time.monotonic() + PATIENCE
        while self._state_of(name) != "UP":
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _state_of(self, name: str) -> str:
        table = httpx.get(f"http://127.0.0.1:{self.port}/instances;csv", timeout=10).text.removeprefix("# ")
        return next(row["status"] for row in csv.DictReader(table.splitlines()) if row["svname"] == name)


@contextmanager
def fleet(directory: Path, **settings: str) -> Iterator[Fleet]:
    """Run two instances behind HAProxy, and end them with the context."""
    with ExitStack() as stack:
        yield Fleet(directory, stack, settings)


def send(port: int, user: str, client: int, count: int, restarted: threading.Event) -> Sent:
    """Send at least so many requests, every other a write, until the instances have been replaced."""
    sent = Sent([], Counter())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    path, pauses = f"/api/{user}/tasks", random.Random(client)  # noqa: S311 - the same pauses in every run
    headers = {"Authorization": f"Bearer {mint(user)}", "Content-Type": "application/json"}
    number = 0
    while number < count or not restarted.is_set():
        number += 1
        title = str(number) if number % 2 else None
        try:
            body = json.dumps({"title": title}) if title else None
            connection.request("POST" if title else "GET", path if title else f"{path}?limit=1", body, headers)
            response = connection.getresponse()
            response.read()
            sent.outcomes[str(response.status)] += 1
            if title and response.status == 201:
                sent.titles.append(title)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            sent.outcomes[repr(error)] += 1
        # Some clients use a connection once; and connections are idle for a while, as in life.
        if client % 4 == 0:
            connection.close()
        time.sleep(pauses.random() / 50)
    connection.close()
    return sent


def restart_under_load(instances: Fleet, database: str, requests: int, *names: str) -> None:
    """Replace instances while new users send at least so many requests. Raises AssertionError if one is lost."""
    restarted, users = threading.Event(), [f"user-{uuid4()}" for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        count = -(-requests // CLIENTS)
        jobs = [(instances.port, user, client, count, restarted) for client, user in enumerate(users)]
        sending = [threads.submit(send, *job) for job in jobs]
        try:
            for name in names:
                instances.restart(name)
        finally:
            restarted.set()
        sent = [one.result() for one in sending]
    outcomes = sum((one.outcomes for one in sent), Counter[str]())
    print(f"{outcomes.total()} requests: {dict(outcomes)}")  # noqa: T201 - shown if it fails
    assert outcomes.total() >= requests
    assert outcomes.keys() == {"200", "201"}
    for name, one in zip(users, sent, strict=True):
        with User(f"http://127.0.0.1:{instances.port}", name) as user:
            assert user.get("/tasks").json()["total"] == len(one.titles)
        assert stored(database, name) == sorted(one.titles)


def stored(database: str, user: str) -> list[str]:
    """Return the titles of a user's tasks, in order."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT title FROM tasks WHERE user_id = %s AND deleted_at IS NULL", [user])
        return sorted(title for (title,) in rows)


def settings(database: str, workers: str) -> dict[str, str]:
    """Return the settings of an instance."""
    return {"DATABASE_URL": database, "SHUTDOWN_DELAY": "2", "WEB_CONCURRENCY": workers}


def test_a_restart_loses_no_request(tmp_path: Path, postgres: str) -> None:
    database = new_database(postgres)
    with fleet(tmp_path, **settings(database, "1")) as instances:
        restart_under_load(instances, database, 500, "first")


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_five_rolling_restarts_lose_none_of_5000_requests_each(tmp_path: Path, postgres: str, workers: str) -> None:
    database = new_database(postgres)
    with fleet(tmp_path, **settings(database, workers)) as instances:
        for _ in range(5):
            restart_under_load(instances, database, 5000, "first", "second")
