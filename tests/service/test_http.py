"""HTTP/1.1 on the wire, where the service differs from uvicorn."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.support.client import mint

TITLE = b'{"title": "A task"}'


def connect(server: str) -> socket.socket:
    """Open a connection to the server."""
    address = urlsplit(server)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=5)


def head(method: str, *fields: str) -> bytes:
    """Return the head of a request to ada's tasks."""
    lines = [f"{method} /api/ada/tasks HTTP/1.1", "Host: localhost", f"Authorization: Bearer {mint('ada')}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("value", ["100-continue", "100-Continue \t"])
def test_a_client_that_expects_100_continue_gets_it_before_it_sends_its_body(server: str, value: str) -> None:
    fields = (f"Expect: {value}", "Content-Type: application/json", f"Content-Length: {len(TITLE)}")
    with connect(server) as client:
        client.sendall(head("POST", *fields))
        assert client.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(TITLE)
        assert client.recv(65_536).startswith(b"HTTP/1.1 201 ")


def test_pipelined_requests_get_whole_responses_in_order(server: str) -> None:
    with connect(server) as client:
        client.sendall(head("GET") + head("HEAD") + head("OPTIONS") + head("GET", "Connection: close"))
        received = b""
        while data := client.recv(65_536):
            received += data
    responses = received.split(b"HTTP/1.1 ")[1:]
    assert [response[:3] for response in responses] == [b"200", b"200", b"204", b"200"]
    bodies = [response.partition(b"\r\n\r\n")[2] for response in responses]
    assert [body.startswith(b'{"tasks":') for body in bodies] == [True, False, False, True]
    assert bodies[1] == bodies[2] == b""
    assert b"connection: close" in responses[3]
