"""Heads that take long to read: they cost little, and others are served between them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.client import mint
from tests.support.costs import LIVE, connect, processor_time
from tests.support.freezing import frozen
from tests.support.server import Service, start

KIB = 1024
COSTLY = {
    "percent signs": "GET /health/live?{} HTTP/1.1\r\nHost: x\r\n".format("%" * 60 * KIB),
    "escapes": "GET /health/live?{} HTTP/1.1\r\nHost: x\r\n".format("%41" * 20 * KIB),
    "a search": "GET /api/ada/tasks?search={} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n".format(
        "%" * 60 * KIB, mint("ada")
    ),
    "a preflight": "OPTIONS /api/ada/tasks HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost:3000\r\n"
    "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: {}\r\n".format(
        ",".join(f"{number:x}" for number in range(11_000))
    ),
}


def forwarded(size: int) -> bytes:
    """Return a request whose X-Forwarded-For has so many bytes."""
    return f"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {('::1,' * size)[: size - 3]}::1\r\n\r\n".encode()


@pytest.fixture
def service(database: str, server: str, tmp_path: Path) -> Iterator[Service]:
    """Yield a service of the test's own."""
    assert server, "it has migrated the database"
    with start(tmp_path, DATABASE_URL=database) as service:
        yield service


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("head", COSTLY.values(), ids=COSTLY)
def test_others_are_served_between_costly_heads(service: Service, head: str) -> None:
    """How long another client waits on an idle machine: the processor time that the service uses before the answer."""
    request = f"{head}\r\n".encode()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(service)) for _ in range(200)]
        for client in clients:
            client.sendall(request[:-1])
        client = stack.enter_context(connect(service))
        with frozen(service):
            for one in clients:
                one.sendall(request[-1:])
            client.sendall(LIVE)
            before = processor_time(service)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        assert processor_time(service) - before < 0.3


def test_all_costly_heads_are_answered(service: Service) -> None:
    """Beside each other, and when the service stops meanwhile."""
    request = f"{COSTLY['percent signs']}Connection: close\r\n\r\n".encode()
    answers: list[bytes] = []

    def send(client: socket.socket) -> None:
        client.sendall(request)
        answers.append(b"".join(iter(lambda: client.recv(65_536), b"")))

    with ExitStack() as stack:
        threads = [threading.Thread(target=send, args=[stack.enter_context(connect(service))]) for _ in range(100)]
        for thread in threads:
            thread.start()
        assert service.stop() == 0
        for thread in threads:
            thread.join(20)
    assert {answer[:13] for answer in answers} == {b"HTTP/1.1 400 "}
    assert len(answers) == 100
    assert "Traceback" not in service.log.read_text()


def test_more_addresses_than_proxies_are_refused(service: Service) -> None:
    with connect(service) as client:
        client.sendall(forwarded(1024))
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
    with connect(service) as client:
        client.sendall(forwarded(1025))
        response = client.recv(65_536)
        assert response.startswith(b"HTTP/1.1 400 ")
        assert b"must have at most 1,024 bytes of X-Forwarded-For" in response
