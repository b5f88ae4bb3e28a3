"""Clients that send many requests ahead, or do not read the responses: others are served, and memory is bounded."""

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.postgres import wait_for_locks
from tests.support.server import Service, start
from tests.support.unread import connect, resident

MIB = 2**20
# Seconds without progress after which a client that does not read is dropped.
UNREAD = 3
REJECTED = (
    b"POST /api/ada/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n"
)
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
TINY = b"GET /openapi.json HTTP/1.1\r\nHost:\r\n\r\n"


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that soon drops clients that do not read."""
    with start(tmp_path_factory.mktemp("pipelines"), DATABASE_URL=database, BODY_TIMEOUT=str(UNREAD)) as service:
        yield service


def send_ahead(client: socket.socket, data: bytes) -> None:
    """Send as much as the server takes."""
    client.settimeout(1)
    with suppress(TimeoutError, ConnectionError):
        client.sendall(data)


BODY = b"POST /api/ada/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SIZED = BODY + b"Content-Length: 70000\r\n\r\n" + b"\r\n" * 35_000
CHUNKED = BODY + b"Transfer-Encoding: chunked\r\n\r\n" + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 100 + b"0\r\n\r\n"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("first", [b"", SIZED, CHUNKED], ids=["alone", "after a body", "after chunks"])
def test_requests_sent_ahead_behind_unread_responses_take_little_memory(
    database: str, tmp_path: Path, first: bytes
) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, ExitStack() as stack, ThreadPoolExecutor(50) as threads:
        assert httpx.get(f"{service.url}/openapi.json").is_success
        before = resident(service)
        clients = [stack.enter_context(connect(service, 4096)) for _ in range(50)]
        sending = [threads.submit(send_ahead, client, first + TINY * (MIB // len(TINY))) for client in clients]
        for one in sending:
            one.result()
            assert httpx.get(f"{service.url}/health/live", timeout=10).status_code == 200
        assert resident(service) - before < 30 * MIB


def task(number: int) -> bytes:
    """Return a request to create a task, whose body has empty lines; the number is the request's id."""
    body = b'\r\n\r\n{"title":\r\n\r\n"a"}' + b"\r\n\r\n" * 20
    fields = f"Authorization: Bearer {mint('ada')}\r\nX-Request-ID: n{number}\r\nContent-Type: application/json\r\n"
    return f"POST /api/ada/tasks HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("size", [100_000, 1000, 37])
def test_each_of_many_requests_sent_ahead_gets_its_response_in_turn(service: Service, size: int) -> None:
    number = 100
    data = b"".join(task(one) + LIVE for one in range(number))
    data += b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connect(service) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin in range(0, len(data), size):
            client.sendall(data[begin : begin + size])
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    responses = received.split(b"HTTP/1.1 ")[1:]
    assert [one[:3] for one in responses] == [b"201", b"200"] * number + [b"200"]
    ids = [one.partition(b"x-request-id: ")[2].split(b"\r\n")[0] for one in responses[:-1:2]]
    assert ids == [b"n%d" % one for one in range(number)]


@pytest.mark.parametrize("chunks", [b"", b"50\r\n" + b"\r\n\r\n" * 20 + b"\r\n"], ids=["at once", "later"])
def test_an_invalid_body_is_rejected_after_the_responses_to_earlier_requests(service: Service, chunks: bytes) -> None:
    chunked = task(0).partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"nonsense\r\n"
    with connect(service) as client:
        client.sendall(task(1) + task(2) + chunked)
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    assert [one[:3] for one in received.split(b"HTTP/1.1 ")[1:]] == [b"201", b"201", b"400"]
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize(
    "parts", [[b"".join(map(task, range(40)))], [task(0), LIVE, LIVE * 38]], ids=["at once", "in parts"]
)
def test_all_requests_sent_ahead_get_their_responses_although_the_service_stops(
    database: str, tmp_path: Path, parts: list[bytes]
) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, connect(service) as client:
        with User(service.url, "ada") as ada:
            ada.create()
        with psycopg.connect(database) as connection:
            connection.execute("SELECT FROM accounts WHERE user_id = 'ada' FOR UPDATE")
            # The service reads no further while the second part waits for the first.
            for part in parts:
                client.sendall(part)
                wait_for_locks(database, 1)
                time.sleep(0.1)
            service.process.send_signal(signal.SIGTERM)
            while "Shutting down" not in service.log.read_text():
                time.sleep(0.05)
            time.sleep(0.5)
        received = b"".join(iter(lambda: client.recv(65_536), b""))
        assert received.count(b"HTTP/1.1 20") == 40


def read_slowly(client: socket.socket, seconds: float) -> int:
    """Read a little at a time, and return how many bytes have come."""
    size, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        size += len(client.recv(16_384))
        time.sleep(0.2)
    return size


def read_to_end(client: socket.socket) -> int:
    """Return how many bytes come until the server ends the connection."""
    size = 0
    with suppress(ConnectionResetError):
        while data := client.recv(MIB):
            size += len(data)
    return size


@pytest.mark.parametrize("sent", [TINY * 2000, TINY * 10 + REJECTED], ids=["much", "rejected"])
def test_a_client_that_reads_nothing_is_dropped(service: Service, sent: bytes) -> None:
    with connect(service, 4096) as client:
        client.sendall(sent)
        time.sleep(2 * UNREAD)
        # The system drops what it has buffered when it gets more for a connection that the service has closed.
        send_ahead(client, b"x")
        assert read_to_end(client) < sent.count(TINY) * size_of_a_response(service)


@pytest.mark.parametrize("stops", [False, True], ids=["serves", "stops"])
def test_a_client_that_reads_late_gets_its_responses_although_it_sends_a_body_that_was_rejected(
    database: str, tmp_path: Path, stops: bool
) -> None:
    number = 10
    with start(tmp_path, DATABASE_URL=database) as service, connect(service, 4096) as client:
        size = size_of_a_response(service)
        client.sendall(TINY * number + REJECTED)
        while " 401 " not in service.log.read_text():
            time.sleep(0.05)
        if stops:
            service.process.send_signal(signal.SIGTERM)
            while "Shutting down" not in service.log.read_text():
                time.sleep(0.05)
        time.sleep(0.5 if stops else 4)
        client.sendall(b"x" * MIB)
        assert read_to_end(client) > number * size


def test_a_client_that_reads_slowly_gets_its_responses(service: Service) -> None:
    number = 200
    with connect(service, 65_536) as client:
        client.sendall(TINY * (number - 1) + TINY[:-2] + b"Connection: close\r\n\r\n")
        size = read_slowly(client, 3 * UNREAD)
        assert size + read_to_end(client) > number * size_of_a_response(service)


def size_of_a_response(service: Service) -> int:
    return len(httpx.get(f"{service.url}/openapi.json").content)
