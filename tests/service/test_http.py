"""HTTP/1.1 on the wire, where the service differs from uvicorn."""

import socket
import struct
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.postgres import wait_for_locks
from tests.support.server import start

USER = f"ada-{uuid4().hex}"
TITLE = b'{"title": "A task"}'


def connect(server: str) -> socket.socket:
    """Open a connection to the server."""
    address = urlsplit(server)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=5)


def head(method: str, *fields: str) -> bytes:
    """Return the head of a request to the user's tasks."""
    lines = [f"{method} /api/{USER}/tasks HTTP/1.1", "Host: localhost", f"Authorization: Bearer {mint(USER)}", *fields]
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


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_client_that_pipelines_and_disconnects_leaves_no_traceback_in_the_log(
    database: str, server: str, tmp_path: Path, reset: bool
) -> None:
    assert server, "it has migrated the database"
    fields = ("Content-Type: application/json", f"Content-Length: {len(TITLE)}")
    with start(tmp_path, DATABASE_URL=database) as service, User(service.url, USER) as ada:
        ada.create("before")
        with psycopg.connect(database) as connection, connect(service.url) as client:
            connection.execute("SELECT FROM accounts WHERE user_id = %s FOR UPDATE", [USER])
            # The service reads on only after its first response, and the third request waits behind the second.
            client.sendall(head("OPTIONS") + head("POST", *fields) + TITLE + head("GET"))
            wait_for_locks(database, 1)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            assert ada.http.get("/health/live").status_code == 200
        # This write waits for the one that nobody waits for.
        ada.create("after")
        assert "A task" in ada.titles()
        assert service.stop() == 0
        assert "Traceback" not in service.log.read_text()
