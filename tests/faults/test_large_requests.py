"""Large requests that do not end: their memory is bounded, the oldest make room, and nobody else is rejected."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.support.client import User, mint
from tests.support.server import Service, start
from tests.support.unread import connect, resident

MIB = 2**20
BODY = b'{"mode": "atomic", "operations": [{"op": "create", "task": {"title": "x"}}]}'.ljust(MIB - 100)
HEAD = f"POST /api/ada/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
OWN = f"{HEAD}Authorization: Bearer {mint('ada')}\r\n\r\n".encode() + BODY
NO_TOKEN = f"{HEAD}\r\n".encode() + BODY
WARNING = "Large requests take 64 MiB. Incomplete ones rejected: "


@pytest.fixture
def service(database: str, tmp_path: Path) -> Iterator[Service]:
    """Yield a service of its own."""
    with start(tmp_path, DATABASE_URL=database) as service:
        yield service


def response_to(client: socket.socket) -> HTTPResponse:
    """Return the response on a connection, once its head has come."""
    client.settimeout(20)
    response = HTTPResponse(client)
    response.begin()
    return response


def wait_until_read(service: Service) -> None:
    """Return when the service has read what other connections have sent before."""
    time.sleep(0.5)
    with User(service.url, "waiting") as user:
        assert user.get("/tasks", timeout=20).status_code == 200


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_incomplete_large_requests_take_bounded_memory_and_the_oldest_make_room(service: Service) -> None:
    with ExitStack() as stack, User(service.url, "grace") as grace:
        before = resident(service)
        clients = [stack.enter_context(connect(service)) for _ in range(400)]
        for client in clients:
            client.sendall(OWN[:-1])
        wait_until_read(service)
        grace.create()
        assert resident(service) - before < 200 * MIB
        clients[-1].sendall(OWN[-1:])
        assert response_to(clients[-1]).status == 200
        response = response_to(clients[0])
        assert response.status == 503
        assert response.headers["Retry-After"] == "2"
        assert b"The server is receiving too many large requests." in response.read()
    assert WARNING in service.log.read_text()


def test_requests_that_end_or_lose_their_client_take_no_memory_any_more(service: Service) -> None:
    for sent in (OWN, OWN[:-1], OWN[:-1]):
        with ExitStack() as stack:
            clients = [stack.enter_context(connect(service)) for _ in range(40)]
            for client in clients:
                client.sendall(sent)
            if sent == OWN:
                assert {response_to(client).status for client in clients} == {200}
        wait_until_read(service)
    assert WARNING not in service.log.read_text()


def test_rejected_requests_whose_body_is_dropped_make_nobody_give_way(service: Service) -> None:
    with ExitStack() as stack:
        own = stack.enter_context(connect(service))
        own.sendall(OWN[:-1])
        for _ in range(100):
            stack.enter_context(connect(service)).sendall(NO_TOKEN[:-1])
        wait_until_read(service)
        own.sendall(OWN[-1:])
        assert response_to(own).status == 200
    assert WARNING not in service.log.read_text()
