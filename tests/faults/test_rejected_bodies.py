"""A request is rejected before its body has arrived: nobody takes the rest of it for a request, or a request for it."""

import re
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.support.client import User, mint
from tests.support.haproxy import haproxy, needs_haproxy
from tests.support.server import free_port

KIB = 1024
MIB = 1024 * KIB
CURL = shutil.which("curl")
USER = f"ada-{uuid4().hex}"
TASKS = f"/api/{USER}/tasks"
JSON = "Content-Type: application/json"
OWN = f"Authorization: Bearer {mint(USER)}"
GET = f"GET {TASKS} HTTP/1.1\r\nHost: x\r\n{OWN}\r\n\r\n".encode()

# What is wrong with each request, by the status of the response.
REJECTED = {
    401: ("POST", TASKS, [JSON]),
    403: ("POST", "/api/grace/tasks", [JSON, OWN]),
    404: ("POST", "/nowhere", [JSON]),
    405: ("PUT", TASKS, [JSON, OWN]),
    413: ("POST", TASKS, [JSON, OWN]),
    415: ("POST", TASKS, [JSON, OWN, "Content-Encoding: gzip"]),
}


def head(status: int, length: int, *more: str) -> bytes:
    """Return the head of a request that is rejected with this status, and announces a body of this length in bytes."""
    method, path, fields = REJECTED[status]
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields, f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(server: str) -> socket.socket:
    """Open a connection to the server."""
    address = urlsplit(server)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=20)


def read_to_end(client: socket.socket, pause: float = 0) -> bytes:
    """Return everything that comes until the server has no more to send; pause for some seconds after each read."""
    received = b""
    while data := client.recv(65_536):
        received += data
        time.sleep(pause)
    return received


@pytest.mark.parametrize("status", REJECTED)
def test_the_response_waits_for_a_short_body_and_the_connection_stays_open(server: str, status: int) -> None:
    with connect(server) as client:
        client.sendall(head(status, 500 * KIB))
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(65_536)
        client.settimeout(20)
        client.sendall(b"x" * 500 * KIB + GET)
        received = b""
        while received.count(b"HTTP/1.1 ") < 2:
            received += client.recv(65_536)
    first, second = received.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(str(status).encode())
    assert b"connection: close" not in first
    assert second.startswith(b"200")


@pytest.mark.parametrize("status", REJECTED)
def test_a_client_that_sends_a_long_body_gets_the_response_before_the_connection_ends(server: str, status: int) -> None:
    with connect(server) as client:
        client.sendall(head(status, 10 * MIB))
        for _ in range(5):
            client.sendall(b"x" * MIB)
        response = read_to_end(client)
        # The server still reads, so that no reset takes the response from a client that is still writing.
        client.sendall(b"x" * MIB)
    assert response.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in response
    assert response.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("status", REJECTED)
def test_a_client_that_waits_for_100_continue_is_rejected_at_once(server: str, status: int) -> None:
    with connect(server) as client:
        client.sendall(head(status, 100 * KIB, "Expect: 100-continue"))
        client.settimeout(4)
        response = read_to_end(client)
        # The client may send the body or leave it out, and the server cannot tell which, so the connection ends.
        assert response.startswith(b"HTTP/1.1 %d " % status)
        assert b"connection: close" in response


@pytest.mark.parametrize("status", [401, 413])
def test_a_long_body_that_is_rejected_behind_large_responses_takes_none_of_them(server: str, status: int) -> None:
    number = 3
    asset = re.findall(r"assets/\w+/redoc.js", httpx.get(f"{server}/redoc").text)[0]
    size = len(httpx.get(f"{server}/{asset}").content)
    with connect(server) as client, ThreadPoolExecutor() as threads:
        client.sendall(f"GET /{asset} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * number)
        sending = threads.submit(client.sendall, head(status, 10 * MIB) + b"x" * 10 * MIB)
        received = read_to_end(client, 0.01)
        sending.result()
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200"] * number + [b"%d" % status]
    assert len(received) > number * size
    assert b"connection: close" in received[number * size :]


def test_a_client_that_stops_sending_gets_the_response_after_a_few_seconds(server: str) -> None:
    with connect(server) as client:
        client.sendall(head(401, 500 * KIB) + b"x")
        response = read_to_end(client)
    assert response.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in response


FRONT = """
    http-reuse always
frontend public
    bind 127.0.0.1:{port} proto h2
    bind 127.0.0.1:{plain}
    default_backend api
backend api
    server api {server}
"""


@needs_haproxy
@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_uploads_without_a_token_through_haproxy_hurt_no_bystander(server: str, tmp_path: Path, ada: User) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * 10 * MIB)
    task = ada.create("kept")
    port, plain = free_port(), free_port()
    front = FRONT.format(port=port, plain=plain, server=urlsplit(server).netloc)
    with haproxy(tmp_path, front, plain), ThreadPoolExecutor(12) as threads:

        def send(_: int) -> str:
            words = [str(CURL), "-s", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}"]
            words += [
                "-H",
                JSON,
                "-H",
                "Expect:",
                "--data-binary",
                f"@{upload}",
                f"http://127.0.0.1:{port}{TASKS}",
            ]
            return subprocess.run(words, stdout=subprocess.PIPE, check=False, timeout=60, text=True).stdout

        def read(_: int) -> list[int]:
            with User(f"http://127.0.0.1:{plain}", ada.id) as user:
                return [user.get(f"/tasks/{task['id']}").status_code for _ in range(40)]

        uploads = [threads.submit(send, number) for number in range(60)]
        bystanders = [threads.submit(read, number) for number in range(6)]
        assert {status for one in bystanders for status in one.result()} == {200}
        assert {one.result() for one in uploads} == {"401"}
