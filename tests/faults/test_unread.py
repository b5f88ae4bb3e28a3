"""Clients that read slowly or not at all: they are dropped, and the memory for their responses is bounded."""

import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.client import User, mint
from tests.support.server import start
from tests.support.unread import connect, resident

MIB = 2**20


def read_and_send(client: socket.socket, seconds: int) -> None:
    """Read 400 bytes a second. Raises ConnectionError when the service has closed the connection."""
    for _ in range(4 * seconds):
        client.recv(100)
        time.sleep(0.25)
        # The system drops what it has buffered when it gets more for a connection that the service has closed.
        client.send(b"x")


def test_a_client_that_reads_too_slowly_is_dropped(database: str, tmp_path: Path) -> None:
    # With the smallest buffer, something is acknowledged every few seconds.
    with start(tmp_path, DATABASE_URL=database, BODY_TIMEOUT="8") as service, connect(service, 1) as client:
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost:\r\n\r\n" * 2000)
        with pytest.raises(ConnectionError):
            read_and_send(client, 40)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_a_document_that_many_clients_do_not_read_is_in_memory_once(database: str, tmp_path: Path) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, ExitStack() as stack:
        page = httpx.get(f"{service.url}/redoc").text
        path = re.findall(r'src="(\S+/redoc.js)"', page)[0]
        assert len(httpx.get(f"{service.url}/{path}").content) > MIB
        before = resident(service)
        for _ in range(100):
            client = stack.enter_context(connect(service, 4096))
            client.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 8)
        assert httpx.get(f"{service.url}/health/live", timeout=20).is_success
        assert resident(service) - before < 60 * MIB


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_lists_that_a_client_does_not_read_take_bounded_memory(database: str, tmp_path: Path) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, ExitStack() as stack:
        with User(service.url, "reader") as reader:
            for _ in range(100):
                reader.create(description="\N{GRINNING FACE}" * 9000)
        fields = f"Host: x\r\nAuthorization: Bearer {mint('reader')}"
        sent = f"GET /api/reader/tasks?limit=100 HTTP/1.1\r\n{fields}\r\n\r\n".encode() * 3
        before = resident(service)
        for _ in range(120):
            client = stack.enter_context(connect(service, 4096))
            client.sendall(sent)
        for _ in range(10):
            time.sleep(0.5)
            assert httpx.get(f"{service.url}/health/live", timeout=20).is_success
        assert resident(service) - before < 400 * MIB
        assert "Responses that clients do not read take 256 MiB. " in service.log.read_text()
