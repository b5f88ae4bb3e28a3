"""A long response that ends its connection arrives as a whole, even if the client sends another request meanwhile."""

import re
import socket
from urllib.parse import urlsplit

import httpx
import pytest

NEXT = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_request_that_comes_too_late_does_not_cut_off_the_last_response(server: str, version: str) -> None:
    path = "/" + re.findall(r"assets/\w+/redoc.js", httpx.get(f"{server}/redoc").text)[0]
    length = int(httpx.head(server + path).headers["Content-Length"])
    assert length > 500_000
    address = urlsplit(server)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=20) as client:
        client.sendall(f"GET {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = client.recv(1000)
        client.sendall(NEXT * 3)
        while data := client.recv(1000):
            received += data
    assert len(received.partition(b"\r\n\r\n")[2]) == length
