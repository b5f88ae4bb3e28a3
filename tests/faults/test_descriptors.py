"""More connections than file descriptors: idle ones make room, requests are served, and the log says so."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.postgres import wait_for_locks
from tests.support.server import Service, start

BODY = b'{"title": "a"}'
HEAD = (
    f"POST /api/ada/tasks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {mint('ada')}\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
).encode()
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
# Responses of more bytes than the system buffers for a connection.
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100
LOGGED = " connections fit the limit on file descriptors. "


@pytest.fixture(autouse=True)
def descriptors() -> None:
    """Let this process open as many connections as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def limited(directory: Path, database: str, soft: int, hard: int) -> Iterator[Service]:
    """Run a service with these limits on file descriptors."""
    limit = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
    (directory / "sitecustomize.py").write_text(limit)
    patience = {"DATABASE_POOL_TIMEOUT": "60", "DATABASE_STATEMENT_TIMEOUT": "60"}
    with start(directory, DATABASE_URL=database, **patience) as service:
        yield service


def connect(service: Service, connections: ExitStack) -> socket.socket:
    """Open a connection, which `connections` will close."""
    address = urlsplit(service.url)
    return connections.enter_context(socket.create_connection((str(address.hostname), address.port or 80), timeout=30))


def is_closed(connection: socket.socket) -> bool:
    """Wait for the server, and return whether it closes the connection. Raises TimeoutError."""
    with suppress(ConnectionError):
        return connection.recv(65_536) == b""
    return True


def is_served(connection: socket.socket, sent: bytes) -> bool:
    """Return whether the server answers what is sent with a task."""
    connection.sendall(sent)
    return connection.recv(65_536).startswith(b"HTTP/1.1 201 ")


def waits(connection: socket.socket) -> bool:
    """Send a request, and return whether the server takes its time for it, or closes the connection instead."""
    connection.settimeout(0.2)
    try:
        connection.sendall(HEAD + BODY)
        return connection.recv(65_536) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False
    finally:
        connection.settimeout(30)


def is_alive(service: Service) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{service.url}/health/live").status_code == 200
    return False


def test_requests_are_served_although_idle_connections_use_up_the_descriptors(tmp_path: Path, database: str) -> None:
    began = time.monotonic()
    with limited(tmp_path, database, 1024, 1024) as service, ExitStack() as connections:
        idle = [connect(service, connections) for _ in range(1100)]
        assert all(is_alive(service) for _ in range(5))
        with User(service.url, "ada") as ada:
            ada.create()
        assert is_closed(idle[0])
        assert is_served(idle[-1], HEAD + BODY)
        lines = service.log.read_text().count(LOGGED)
        assert 1 <= lines <= 1 + (time.monotonic() - began) // 60


def test_the_connection_that_has_been_idle_longest_makes_room(tmp_path: Path, database: str) -> None:
    with limited(tmp_path, database, 128, 128) as service, ExitStack() as connections:
        first, second = (connect(service, connections) for _ in range(2))
        assert is_served(second, HEAD + BODY)
        assert is_served(first, HEAD + BODY)
        while LOGGED not in service.log.read_text():
            assert is_served(connect(service, connections), HEAD + BODY)
        assert is_closed(second)
        assert is_served(first, HEAD + BODY)


def test_where_no_connection_is_idle_new_ones_are_refused(tmp_path: Path, database: str) -> None:
    with limited(tmp_path, database, 128, 128) as service, ExitStack() as connections:
        with User(service.url, "ada") as ada:
            ada.create()
        with psycopg.connect(database) as holder:
            holder.execute("SELECT FROM accounts WHERE user_id = 'ada' FOR UPDATE")
            busy = [connect(service, connections)]
            while waits(busy[-1]):
                busy.append(connect(service, connections))
            assert len(busy) > 20
            assert not is_alive(service)
        assert all(connection.recv(65_536).startswith(b"HTTP/1.1 201 ") for connection in busy[:-1])
        assert is_alive(service)
        assert "new ones refused: 1." in service.log.read_text()


@pytest.mark.parametrize("ahead", [b"", LIVE], ids=["first", "behind another"])
def test_a_request_that_runs_keeps_its_connection_although_the_next_one_has_begun(
    tmp_path: Path, database: str, ahead: bytes
) -> None:
    with limited(tmp_path, database, 128, 128) as service, ExitStack() as connections:
        with User(service.url, "ada") as ada:
            ada.create()
        with psycopg.connect(database) as holder:
            holder.execute("SELECT FROM accounts WHERE user_id = 'ada' FOR UPDATE")
            busy = connect(service, connections)
            busy.sendall(ahead + HEAD + BODY + HEAD)
            wait_for_locks(database, 1)
            while LOGGED not in service.log.read_text():
                connect(service, connections)
        received = b""
        while b"HTTP/1.1 201 " not in received:
            received += (data := busy.recv(65_536))
            assert data


@pytest.mark.parametrize(
    "sent",
    [b"", HEAD[:20], HEAD, HEAD.replace(b"Bearer", b"Basic")],
    ids=["nothing", "half a head", "no body", "rejected"],
)
def test_nobody_occupies_a_connection_by_an_incomplete_request(tmp_path: Path, database: str, sent: bytes) -> None:
    with limited(tmp_path, database, 128, 128) as service, ExitStack() as connections:
        for _ in range(150):
            with suppress(ConnectionError):
                connect(service, connections).sendall(sent)
        assert all(is_alive(service) for _ in range(20))


def test_nobody_occupies_a_connection_by_not_reading(tmp_path: Path, database: str) -> None:
    with limited(tmp_path, database, 128, 128) as service, ExitStack() as connections:
        slow = [connect(service, connections) for _ in range(100)]
        for number in range(8):
            for connection in slow:
                # The last ones are refused.
                with suppress(ConnectionError):
                    connection.sendall(LARGE if number == 0 else b"")
                    connection.recv(8192)
            time.sleep(1)
        assert all(is_alive(service) for _ in range(20))


def test_the_soft_limit_is_raised_to_the_hard_one(tmp_path: Path, database: str) -> None:
    with limited(tmp_path, database, 256, 2048) as service, ExitStack() as connections:
        idle = [connect(service, connections) for _ in range(500)]
        assert is_alive(service)
        assert is_served(idle[0], HEAD + BODY)
        assert LOGGED not in service.log.read_text()


def test_streams_leave_connections_to_others(tmp_path: Path, database: str) -> None:
    with limited(tmp_path, database, 300, 300) as service, ExitStack() as connections:
        statuses = []
        for number in range(150):
            connection = connect(service, connections)
            token = mint(f"user-{number}")
            head = f"GET /api/user-{number}/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
            connection.sendall(head.encode())
            statuses.append(connection.recv(12))
        assert set(statuses) == {b"HTTP/1.1 200", b"HTTP/1.1 503"}
        assert statuses.count(b"HTTP/1.1 200") > 50
        assert all(is_alive(service) for _ in range(20))
