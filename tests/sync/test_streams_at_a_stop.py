"""A service that stops ends its streams one after the other, so that their clients do not all return at once."""

import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg

from tests.support.client import User, mint
from tests.support.events import Event, streaming
from tests.support.postgres import new_database
from tests.support.server import Service, start

STREAMS = 15


class Listener(threading.Thread):
    """A client that reads a stream to its end, and notes when that was."""

    def __init__(self, user: User, listening: threading.Barrier) -> None:
        super().__init__()
        self.user, self.listening = user, listening
        self.events: list[Event] = []
        self.ended = 0.0

    def run(self) -> None:
        """Read the stream."""
        with streaming(self.user, timeout=30) as stream:
            self.events.append(stream.next())
            self.listening.wait(20)
            self.events += stream
            self.ended = time.monotonic()


def ends(service: Service, user: User) -> list[float]:
    """Stop the service while streams are open. Return after how many seconds each ended."""
    listening = threading.Barrier(STREAMS + 1)
    listeners = [Listener(user, listening) for _ in range(STREAMS)]
    for one in listeners:
        one.start()
    listening.wait(20)
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    for one in listeners:
        one.join(20)
    assert all(one.events[-1].data == {"type": "bye", "reason": "shutdown"} for one in listeners)
    return sorted(one.ended - began for one in listeners)


def test_streams_end_within_a_second_or_so(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    with start(tmp_path, DATABASE_URL=database) as service, User(service.url, uuid4().hex) as ada:
        ended = ends(service, ada)
        assert service.process.wait(20) == 0
        assert "Traceback" not in service.log.read_text()
    assert ended[-1] < 3
    assert ended[-1] - ended[0] > 0.3


def test_streams_end_during_the_delay_before_a_stop(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    with (
        start(tmp_path, DATABASE_URL=database, SHUTDOWN_DELAY="4") as service,
        User(service.url, uuid4().hex) as ada,
    ):
        ended = ends(service, ada)
        assert httpx.get(f"{service.url}/health/live").status_code == 200, "it has not stopped yet"
        assert service.process.wait(20) == 0
    assert ended[-1] < 4.5
    assert ended[-1] - ended[0] > 1.2


def test_requests_that_wait_are_answered(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    answers: list[Any] = []

    def wait(user: User) -> None:
        token = user.get("/changes").json()["sync_token"]
        answers.append(user.get("/changes", params={"sync_token": token, "wait": 30}))

    with start(tmp_path, DATABASE_URL=database) as service, User(service.url, uuid4().hex) as ada:
        waiting = threading.Thread(target=wait, args=[ada])
        waiting.start()
        time.sleep(1)
        assert service.stop() == 0
        waiting.join(10)
    assert [(one.status_code, one.json()["tasks"]) for one in answers] == [(200, [])]


def test_requests_that_wait_are_answered_even_if_the_database_does_not_respond(tmp_path: Path, postgres: str) -> None:
    database = new_database(postgres)
    with (
        start(tmp_path, DATABASE_URL=database) as service,
        User(service.url, uuid4().hex) as ada,
        ThreadPoolExecutor() as pool,
        psycopg.connect(database) as administrator,
    ):
        params = {"sync_token": ada.sync_token(), "wait": 30}
        waiting = [pool.submit(ada.get, "/changes", params=params) for _ in range(2)]
        time.sleep(1)
        administrator.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        assert service.stop() == 0
        assert [one.result().json()["sync_token"] for one in waiting] == [params["sync_token"]] * 2
        assert "Traceback" not in service.log.read_text()


def test_streams_that_follow_each_other_on_one_connection_all_end(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    with start(tmp_path, DATABASE_URL=database) as service:
        address = urlsplit(service.url)
        head = f"GET /api/ada/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mint('ada')}\r\n\r\n"
        with socket.create_connection((str(address.hostname), address.port or 80), timeout=10) as client:
            client.sendall(head.encode() * 16)
            received = client.recv(65_536)
            service.process.send_signal(signal.SIGTERM)
            received += b"".join(iter(lambda: client.recv(65_536), b""))
        assert service.process.wait(20) == 0
        assert "Traceback" not in service.log.read_text()
    assert received.count(b'"reason":"shutdown"') == received.count(b"HTTP/1.1 200 ") == 16
