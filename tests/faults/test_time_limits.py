"""Slow and silent clients: each part of a request has its time, and nobody occupies a connection for nothing."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.conformance import CONTRACT, DeclaredResponse
from tests.support.freezing import frozen, is_closed
from tests.support.postgres import wait_for_locks
from tests.support.server import Service, start

# In seconds. A connection between requests is kept for longer than a head or a body may take.
HEAD, BODY, KEPT = 1, 3, 8
TITLE = b'{"title": "slow"}'
LATE = DeclaredResponse(
    {
        "headers": {"X-Request-ID": CONTRACT["components"]["headers"]["X-Request-ID"]},
        "content": {"application/problem+json": {"schema": CONTRACT["components"]["schemas"]["Problem"]}},
    }
)


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service with short time limits."""
    limits = {"HEAD_TIMEOUT": str(HEAD), "BODY_TIMEOUT": str(BODY), "KEEP_ALIVE_TIMEOUT": str(KEPT)}
    with start(tmp_path_factory.mktemp("limits"), DATABASE_URL=database, **limits) as service:
        yield service


def connect(service: Service) -> socket.socket:
    """Open a connection."""
    address = urlsplit(service.url)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=20)


@pytest.fixture
def client(service: Service) -> Iterator[socket.socket]:
    """Yield a connection that has sent nothing."""
    with connect(service) as client:
        yield client


def head(line: str, *fields: str) -> bytes:
    """Return a head with a token."""
    return "\r\n".join([line, "Host: x", f"Authorization: Bearer {mint('ada')}", *fields, "", ""]).encode()


def post(length: int) -> bytes:
    """Return the head of a request to create a task, with a body of this many bytes."""
    return head("POST /api/ada/tasks HTTP/1.1", "Content-Type: application/json", f"Content-Length: {length}")


GET = head("GET /api/ada/tasks?limit=1 HTTP/1.1")


def read_to_end(client: socket.socket) -> bytes:
    """Return everything that comes until the server has no more to send."""
    received = b""
    while data := client.recv(65_536):
        received += data
    return received


def send_slowly(client: socket.socket, part: Callable[[int], bytes]) -> bytes:
    """Send a part five times a second until the server ends the connection; return what it has sent."""
    client.settimeout(0.2)
    received = b""
    for number in count():
        assert number < 100
        try:
            client.sendall(part(number))
            received += (data := client.recv(65_536))
            if not data:
                return received
        except TimeoutError:
            continue
        except ConnectionError:
            # Once the server has ended the connection, it may reset it.
            with suppress(ConnectionError):
                received += read_to_end(client)
            return received
    raise AssertionError


def assert_late(response: bytes, detail: str) -> None:
    """Hold a 408 to the contract."""
    start, _, content = response.partition(b"\r\n\r\n")
    line, *fields = start.decode().split("\r\n")
    assert line == "HTTP/1.1 408 Request Timeout"
    headers = dict(field.split(": ", 1) for field in fields)
    request = httpx.Request("POST", "http://x")
    answer = httpx.Response(408, headers=headers, content=content, request=request)
    assert list(LATE.violations(answer)) == []
    assert answer.headers["Connection"] == "close"
    assert answer.json()["type"] == "urn:problem-type:todo-api:request-timeout"
    assert answer.json()["detail"] == detail


def test_a_head_that_comes_too_slowly_gets_a_408(service: Service, client: socket.socket) -> None:
    client.sendall(b"GET /api/ada/tasks HTTP/1.1\r\nHost: x\r\n")
    response = send_slowly(client, lambda number: b"X-%d: x\r\n" % number)
    assert_late(response, "The head of the request did not arrive in time.")
    assert re.search(r" - - 408 [\d.]+ ms$", service.log.read_text(), re.MULTILINE)


def test_a_head_that_comes_too_slowly_behind_another_request_gets_its_408_after_the_other_response(
    service: Service, database: str, client: socket.socket
) -> None:
    with User(service.url, "ada") as ada:
        ada.create()
    with psycopg.connect(database) as connection:
        connection.execute("SELECT FROM accounts WHERE user_id = 'ada' FOR UPDATE")
        client.sendall(post(len(TITLE)) + TITLE + b"GET /")
        wait_for_locks(database, 1)
        client.settimeout(3 * HEAD)
        with pytest.raises(TimeoutError):
            client.recv(65_536)
    client.settimeout(20)
    response = read_to_end(client)
    assert response.startswith(b"HTTP/1.1 201 ")
    assert_late(response[response.index(b"HTTP/1.1 408") :], "The head of the request did not arrive in time.")


def test_a_body_that_comes_too_slowly_gets_a_408(service: Service, client: socket.socket) -> None:
    client.sendall(post(1000))
    response = send_slowly(client, lambda _: b" ")
    assert_late(response, "The body of the request did not arrive in time.")
    assert "POST /api/{user_id}/tasks 408 " in service.log.read_text()


def test_a_body_that_stops_gets_a_408_although_it_came_fast_at_first(client: socket.socket) -> None:
    client.sendall(post(60_000))
    for _ in range(5):
        client.sendall(b" " * 10_000)
        time.sleep(0.5)
    assert_late(read_to_end(client), "The body of the request did not arrive in time.")


def test_a_body_may_take_long_if_it_comes_fast_enough(client: socket.socket) -> None:
    size = 2048
    body = TITLE.ljust(10 * BODY * size)
    client.sendall(post(len(body)))
    for number in range(0, len(body), size):
        client.sendall(body[number : number + size])
        time.sleep(0.25)
    assert client.recv(65_536).startswith(b"HTTP/1.1 201 ")


def test_a_connection_that_sends_nothing_is_closed(client: socket.socket) -> None:
    assert read_to_end(client) == b""


def test_a_connection_that_sends_nothing_but_line_breaks_is_closed(client: socket.socket) -> None:
    assert send_slowly(client, lambda _: b"\r\n") == b""


def test_a_connection_is_kept_between_requests_for_its_time(client: socket.socket) -> None:
    for _ in range(2):
        client.sendall(GET)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        time.sleep(1.5 * BODY)
    assert client.recv(65_536) == b""


def test_a_request_that_arrives_just_before_its_connection_is_closed_is_served(database: str, tmp_path: Path) -> None:
    with start(tmp_path, DATABASE_URL=database, KEEP_ALIVE_TIMEOUT="1") as service, ExitStack() as stack:
        clients = [stack.enter_context(connect(service)) for _ in range(100)]
        for client in clients:
            client.sendall(GET)
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        for client in clients:
            # Stopped while it waits, the service runs the timers that are due, such as its look at late clients, before
            # it reads what has arrived meanwhile.
            time.sleep(0.03)
            with frozen(service):
                if is_closed(client):
                    break
                time.sleep(0.03)
                client.sendall(GET)
                time.sleep(0.1)
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        else:
            pytest.fail("no connection was closed")


def test_requests_for_longer_than_any_limit_keep_a_connection_open(client: socket.socket) -> None:
    began = time.monotonic()
    while time.monotonic() - began < KEPT + 3:
        client.sendall(GET)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        time.sleep(0.1)
