"""Clients that leave while their large requests wait: these take no memory and no time, and nothing of them happens."""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.client import User, mint
from tests.support.costs import LIVE, connect
from tests.support.server import Service, start
from tests.support.unread import resident

KIB = 1024
MIB = 1024 * KIB
OWN = f"Host: x\r\nAuthorization: Bearer {mint('ada')}\r\n"
# It takes the service some milliseconds to normalise this, and there is no title.
COSTLY = b'{"description": "a' + "\u0301\u0316".encode() + "\u0390".encode() * 30_000 + b'"}'
HEAD = f"GET /api/ada/tasks?search={'%' * 60 * KIB} HTTP/1.1\r\n{OWN}\r\n".encode()


def post(body: bytes, version: str = "1.1") -> bytes:
    """Return a request with this body."""
    fields = f"{OWN}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /api/ada/tasks HTTP/{version}\r\n{fields}\r\n".encode() + body


TASK = json.dumps({"title": "a", "description": "x" * 5000}).encode()
Leave = Callable[[socket.socket], None]


def reset(client: socket.socket) -> None:
    """Close a connection as a program does that is killed, or that has not read everything."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture
def service(database: str, server: str, tmp_path: Path) -> Iterator[Service]:
    """Yield a service of the test's own."""
    assert server, "it has migrated the database"
    with start(tmp_path, DATABASE_URL=database) as service:
        yield service


CLIENTS = {
    "that reset": (post(COSTLY), reset),
    "with large heads": (HEAD, reset),
    "with both": (HEAD.replace(b"GET", b"POST") + post(b" " * MIB).partition(b"\r\n")[2], reset),
    "that have sent requests ahead": (post(COSTLY) + LIVE * 40, reset),
    "that close": (post(COSTLY), socket.socket.close),
    "that have sent requests ahead and close": (post(COSTLY) + LIVE * 40, socket.socket.close),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(("request_", "leave"), CLIENTS.values(), ids=CLIENTS)
def test_clients_that_leave_take_no_memory_and_delay_nobody(service: Service, request_: bytes, leave: Leave) -> None:
    with User(service.url, "grace") as grace:
        grace.create()
        before = resident(service)
        for _ in range(20):
            clients = [connect(service) for _ in range(100)]
            for client in clients:
                client.sendall(request_)
            time.sleep(0.05)
            for client in clients:
                leave(client)
        began = time.monotonic()
        grace.create(description="x" * 5000)
        assert time.monotonic() - began < 3
        assert resident(service) - before < 80 * MIB


def wait_in_line(service: Service, request: bytes, then: Leave) -> socket.socket:
    """Send a request while costly ones wait, send more of them, and then do something with its connection."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(service)) for _ in range(120)]
        for client in clients[:100]:
            client.sendall(post(COSTLY))
        time.sleep(0.3)
        own = connect(service)
        own.sendall(request)
        time.sleep(0.3)
        for client in clients[100:]:
            client.sendall(post(COSTLY))
        then(own)
        assert all(client.recv(65_536).startswith(b"HTTP/1.1 400 ") for client in clients)
    return own


LEAVING = {
    "resets": (post(TASK), reset),
    "has sent requests ahead, and resets": (post(TASK) + LIVE * 40, reset),
    "closes": (post(TASK), socket.socket.close),
    "has sent requests ahead, and closes": (post(TASK) + LIVE * 40, socket.socket.close),
}


@pytest.mark.parametrize(("request_", "leave"), LEAVING.values(), ids=LEAVING)
def test_a_write_whose_client_leaves_while_it_waits_does_not_happen(
    service: Service, request_: bytes, leave: Leave
) -> None:
    with User(service.url, "ada") as ada:
        before = ada.revision()
        wait_in_line(service, request_, leave)
        assert ada.revision() == before
        assert ada.request("POST", "/tasks", content=TASK, headers={"Content-Type": "application/json"}).is_success
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_client_that_ends_what_it_sends_is_asked_whether_it_still_reads(service: Service, version: str) -> None:
    with wait_in_line(service, post(TASK, version=version), lambda client: client.shutdown(socket.SHUT_WR)) as client:
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    statuses = [one[:3] for one in received.split(b"HTTP/1.1 ")[1:]]
    # HTTP/1.0 has no interim responses.
    assert statuses == ([b"100"] if version == "1.1" else []) + [b"201"]
