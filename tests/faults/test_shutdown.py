"""The service stops: everything that has reached it is answered, and a load balancer has time to look elsewhere."""

import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.client import User, mint
from tests.support.freezing import frozen, is_closed
from tests.support.server import Service, has_ended, start
from tests.support.workers import PATIENCE, wait_until_all_serve

HEAD = f"GET /api/ada/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mint('ada')}\r\n\r\n".encode()
WORKERS = pytest.mark.parametrize("workers", ["1", "2"])
# So long that only a second signal ends it.
DELAYED = {"SHUTDOWN_DELAY": "600"}


def connect(service: Service) -> socket.socket:
    """Open a connection to the service."""
    address = urlsplit(service.url)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=20)


def ask(client: socket.socket) -> bytes:
    """Send a request, and return the beginning of its response."""
    client.sendall(HEAD)
    return client.recv(65_536)


def read_to_end(client: socket.socket) -> bytes:
    """Return everything that comes until the server closes the connection; nothing if it resets it."""
    received = b""
    with suppress(ConnectionError):
        while data := client.recv(65_536):
            received += data
        return received
    return b""


def is_last(response: bytes) -> bool:
    """Return whether a response is a good one that says that its connection ends."""
    return response.startswith(b"HTTP/1.1 200 ") and b"\r\nconnection: close\r\n" in response


def test_a_request_that_arrives_on_a_kept_connection_just_before_it_is_closed_is_served(
    tmp_path: Path, database: str
) -> None:
    served = 0
    for _ in range(10):
        with start(tmp_path, DATABASE_URL=database) as service, connect(service) as client:
            ask(client)
            service.process.send_signal(signal.SIGTERM)
            # The service looks for signals ten times a second, and then waits for 0.2 seconds.
            time.sleep(0.15)
            with frozen(service):
                if is_closed(client):
                    continue
                client.sendall(HEAD)
                time.sleep(0.3)
            assert is_last(read_to_end(client))
            served += 1
            if served == 3:
                return
    pytest.fail("the machine is too busy")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can refuse connections without closing the socket")
@WORKERS
def test_whoever_can_still_connect_is_served(tmp_path: Path, database: str, workers: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY=workers) as service:
        wait_until_all_serve(service, int(workers))

        def visit(_: int) -> list[bytes]:
            responses = []
            with suppress(ConnectionRefusedError):
                while True:
                    with connect(service) as client:
                        client.sendall(HEAD)
                        with suppress(ConnectionError):
                            responses.append(client.recv(65_536)[:15])
                            continue
                        responses.append(b"reset")
            return responses

        with ThreadPoolExecutor(8) as threads:
            visits = [threads.submit(visit, number) for number in range(8)]
            time.sleep(0.5)
            assert service.stop() == 0
            responses = [response for one in visits for response in one.result()]
        assert len(responses) > 50
        assert {response: responses.count(response) for response in set(responses)} == {
            b"HTTP/1.1 200 OK": len(responses)
        }


def wait_until_not_ready(service: Service) -> None:
    """Wait until every worker says that it is not ready; each request may reach another one."""
    answers: list[int] = []
    deadline = time.monotonic() + PATIENCE
    while answers[-20:] != [503] * 20:
        assert time.monotonic() < deadline
        answers.append(httpx.get(f"{service.url}/health/ready", timeout=10).status_code)


@WORKERS
@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
def test_during_the_delay_it_serves_although_it_is_not_ready(
    tmp_path: Path, database: str, workers: str, group: bool
) -> None:
    settings = {"DATABASE_URL": database, "WEB_CONCURRENCY": workers, **DELAYED}
    with start(tmp_path, **settings) as service, User(service.url, "ada") as ada, connect(service) as kept:
        wait_until_all_serve(service, int(workers))
        assert b"connection: close" not in ask(kept)
        if group:
            # As a terminal does, and systemd.
            os.killpg(service.process.pid, signal.SIGTERM)
        else:
            service.process.send_signal(signal.SIGTERM)
        wait_until_not_ready(service)
        state = ada.http.get("/health/ready").json()
        assert (state["status"], state["database"], state["migrations"]) == ("not_ready", "up", "applied")
        assert ada.http.get("/health").status_code == 200
        assert ada.http.get("/health/live").status_code == 200
        ada.create("late")
        kept.sendall(HEAD)
        assert is_last(read_to_end(kept))
        # A second signal ends the delay.
        assert service.stop() == 0
        assert has_ended(service.process.pid)
        assert "Traceback" not in service.log.read_text()
        assert " unexpectedly" not in service.log.read_text()


def test_during_the_delay_pipelined_requests_are_all_served(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, **DELAYED) as service, connect(service) as client:
        service.process.send_signal(signal.SIGTERM)
        wait_until_not_ready(service)
        client.sendall(HEAD * 3)
        first, second, third = read_to_end(client).split(b"HTTP/1.1 ")[1:]
    assert b"connection: close" not in first + second
    assert is_last(b"HTTP/1.1 " + third)
