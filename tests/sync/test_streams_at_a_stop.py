"""A service that stops ends its streams one after the other, so that their clients do not all return at once."""

import signal
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.support.client import User
from tests.support.events import Event, streaming
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
