"""A long response that ends its connection arrives as a whole, even if the client sends another request meanwhile."""

import re
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.server import start

NEXT = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_request_that_comes_too_late_does_not_cut_off_the_last_response(server: str, version: str) -> None:
    path, length = long_document(server)
    with connect(server) as client:
        client.sendall(f"GET {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = client.recv(1000)
        client.sendall(NEXT * 3)
        received += rest(client)
    assert len(received.partition(b"\r\n\r\n")[2]) == length


@pytest.mark.parametrize("end", ["stop", "time limit"])
def test_a_connection_that_the_service_ends_delivers_its_last_response(database: str, tmp_path: Path, end: str) -> None:
    with start(tmp_path, DATABASE_URL=database, KEEP_ALIVE_TIMEOUT="1") as service:
        path, length = long_document(service.url)
        with connect(service.url) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            received = client.recv(1000)
            if end == "stop":
                service.process.send_signal(signal.SIGTERM)
            time.sleep(4)
            client.sendall(NEXT)
            received += rest(client)
    assert len(received.partition(b"\r\n\r\n")[2]) == length


def long_document(server: str) -> tuple[str, int]:
    """Return the path and the length of a document that is longer than what TCP sends ahead."""
    path = "/" + re.findall(r"assets/\w+/redoc.js", httpx.get(f"{server}/redoc").text)[0]
    length = int(httpx.head(server + path).headers["Content-Length"])
    assert length > 500_000
    return path, length


def connect(server: str) -> socket.socket:
    """Connect to the server with a small buffer for what it sends."""
    address = urlsplit(server)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    client.settimeout(20)
    client.connect((str(address.hostname), address.port or 80))
    return client


def rest(client: socket.socket) -> bytes:
    """Return what the server still sends, until it ends the connection."""
    return b"".join(iter(lambda: client.recv(65_536), b""))
