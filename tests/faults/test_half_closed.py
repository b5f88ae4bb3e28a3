"""A client ends what it sends, and still reads: it gets its responses, and the connection ends after them."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.postgres import wait_for_locks
from tests.support.server import Service, start
from tests.support.unread import connect

OWN = f"Host: x\r\nAuthorization: Bearer {mint('ada')}\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LIST = f"GET /api/ada/tasks HTTP/1.1\r\n{OWN}\r\n".encode()
BODY = b'{"title": "a"}'
HEAD = f"POST /api/ada/tasks HTTP/1.1\r\n{OWN}Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
POST = HEAD.encode() + BODY
CHUNKED = HEAD.partition("Content-Length")[0].encode() + b"Transfer-Encoding: chunked\r\n\r\n"
DOCUMENT = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"

# What is sent, and the statuses of the responses.
CASES = {
    "live": (LIVE, [b"200"]),
    "read": (LIST, [b"200"]),
    "write": (POST, [b"201"]),
    "several": (POST * 20 + LIST, [b"201"] * 20 + [b"200"]),
    "half a body": (LIST + HEAD.encode() + BODY[:5], [b"200"]),
    "no body": (LIST + POST + HEAD.encode(), [b"200", b"201"]),
    "half a head": (LIST + LIVE[:20], [b"200"]),
    "only half a body": (HEAD.encode() + BODY[:5], []),
    "only half a head": (LIVE[:20], []),
    "nothing": (b"", []),
    "invalid": (LIST + b"nonsense\r\n\r\n", [b"200", b"400"]),
    "invalid body": (POST + CHUNKED + b"nonsense\r\n", [b"201", b"400"]),
    "invalid after several": (LIST + POST + b"nonsense\r\n\r\n", [b"200", b"201", b"400"]),
}


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service whose time limits are longer than the patience of these tests."""
    limits = dict.fromkeys(["HEAD_TIMEOUT", "BODY_TIMEOUT", "KEEP_ALIVE_TIMEOUT"], "60")
    with start(tmp_path_factory.mktemp("half-closed"), DATABASE_URL=database, **limits) as service:
        yield service


def responses(client: socket.socket) -> list[bytes]:
    """Return the responses that come until the service ends the connection."""
    received = b"".join(iter(lambda: client.recv(65_536), b""))
    assert received.startswith(b"HTTP/1.1 ") or not received
    return received.split(b"HTTP/1.1 ")[1:]


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_complete_requests_are_answered_and_nothing_else_is_awaited(
    service: Service, sent: bytes, expected: list[bytes]
) -> None:
    for _ in range(5):
        with connect(service) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            received = responses(client)
        assert [one[:3] for one in received] == expected
        ends = [b"\r\nconnection: close\r\n" in one for one in received]
        assert not any(ends[:-1])
        if expected == [b"201"]:
            assert ends == [True]


def test_a_client_that_reads_slowly_gets_all_responses(service: Service) -> None:
    with connect(service, 4096) as client:
        client.sendall(DOCUMENT * 100)
        client.shutdown(socket.SHUT_WR)
        time.sleep(1)
        assert len(responses(client)) == 100


def test_a_request_is_answered_although_the_service_stops(database: str, tmp_path: Path) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, connect(service) as client:
        with User(service.url, "ada") as ada:
            ada.create()
        with psycopg.connect(database) as connection:
            connection.execute("SELECT FROM accounts WHERE user_id = 'ada' FOR UPDATE")
            client.sendall(POST + LIST)
            client.shutdown(socket.SHUT_WR)
            wait_for_locks(database, 1)
            service.process.send_signal(signal.SIGTERM)
            while "Shutting down" not in service.log.read_text():
                time.sleep(0.05)
            time.sleep(0.5)
        assert [one[:3] for one in responses(client)] == [b"201", b"200"]
        assert service.process.wait(20) == 0
