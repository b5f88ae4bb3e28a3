"""Streams: responses that are sent chunk by chunk, and end when the client disconnects or the service stops.

No operation of the contract streams yet, so a copy of the project gets one.
"""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.client import mint
from tests.support.copies import add_operation, copy_project
from tests.support.server import Service, start

OPERATION = """
  /api/{user_id}/ticks:
    parameters:
      - $ref: '#/components/parameters/UserId'
    get:
      operationId: stream_ticks
      tags: [ticks]
      summary: Stream ticks
      description: One tick every 50 ms.
      parameters:
        - name: until
          in: query
          schema: {type: string, enum: [closed, three, failure, full, busy, cancelled, silent], default: closed}
      responses:
        '200':
          description: The ticks.
          headers: {}
          content:
            text/event-stream:
              schema: {type: string}
"""
HANDLER = """
import asyncio
from itertools import count
from pathlib import Path

from contextlib import aclosing
from functools import partial

from handlers.responses.response import Response
from handlers.responses.streams import Stream


async def stream_ticks(user_id: str, until: str) -> Response:
    return Stream(partial(aclosing, _ticks(until)), "text/event-stream", headers={"Cache-Control": "no-cache"})


async def _ticks(until):
    try:
        for number in range(3) if until == "three" else count():
            yield f"data: {number}\\n\\n".encode()
            await asyncio.sleep(0.05)
            if until == "failure":
                raise ValueError("no more ticks")
            if until == "silent":
                await asyncio.sleep(4)
            while until == "busy":
                yield b"x" * 100_000
            if until == "cancelled":
                future = asyncio.get_running_loop().create_future()
                future.cancel()
                await future
            if until == "full":
                yield b"x" * 1_000_000
                Path("sent").write_text(str(number))
    finally:
        Path("closed").write_text("")
"""
PATH = "/api/ada/ticks"
HEADERS = {"Authorization": f"Bearer {mint('ada')}"}


@pytest.fixture
def settings(tmp_path: Path, database: str, server: str) -> dict[str, str]:
    """Return the settings of a service that has an operation which streams."""
    assert server, "it has migrated the database"
    copy_project(tmp_path)
    add_operation(tmp_path, OPERATION, "ticks", HANDLER)
    return {"DATABASE_URL": database, "PYTHONPATH": str(tmp_path)}


@pytest.fixture
def service(tmp_path: Path, settings: dict[str, str]) -> Iterator[Service]:
    """Yield a service that has an operation which streams."""
    with start(tmp_path, **settings) as service:
        yield service


def is_closed(directory: Path) -> bool:
    """Return whether the iterator of a stream is closed within two seconds."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if (directory / "closed").exists():
            return True
        time.sleep(0.02)
    return False


def test_each_chunk_is_sent_as_soon_as_it_is_yielded(service: Service, tmp_path: Path) -> None:
    with httpx.stream("GET", service.url + PATH, headers=HEADERS) as response:
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream")
        assert response.headers["Cache-Control"] == "no-cache"
        assert "X-Request-ID" in response.headers
        lines = response.iter_lines()
        assert [next(lines), next(lines), next(lines)] == ["data: 0", "", "data: 1"]
        assert not (tmp_path / "closed").exists()


def test_a_stream_ends_when_its_iterator_does_and_the_connection_stays_open(service: Service, tmp_path: Path) -> None:
    with httpx.Client(base_url=service.url, headers=HEADERS) as client:
        first = client.get(PATH, params={"until": "three"})
        assert first.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
        assert "Connection" not in first.headers
        connection = first.extensions["network_stream"]
        assert client.get("/health/live").extensions["network_stream"] is connection
    assert is_closed(tmp_path)


def test_a_stream_ends_when_its_client_disconnects(service: Service, tmp_path: Path) -> None:
    with httpx.stream("GET", service.url + PATH, headers=HEADERS) as response:
        next(response.iter_lines())
    assert is_closed(tmp_path)
    assert httpx.get(f"{service.url}/health/live").status_code == 200


def test_a_silent_stream_ends_when_its_client_disconnects(service: Service, tmp_path: Path) -> None:
    with httpx.stream("GET", service.url + PATH, params={"until": "silent"}, headers=HEADERS) as response:
        next(response.iter_lines())
    assert is_closed(tmp_path)


def test_a_stream_ends_when_its_client_disconnects_after_it_has_pipelined_another_request(
    service: Service, tmp_path: Path
) -> None:
    address = urlsplit(service.url)
    with socket.create_connection((str(address.hostname), address.port), timeout=5) as client:
        head = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {HEADERS['Authorization']}\r\n\r\n"
        client.sendall(head.encode() * 2)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert is_closed(tmp_path)
    assert service.stop() == 0
    assert "Traceback" not in service.log.read_text()


def test_a_stream_ends_cleanly_when_the_service_stops(service: Service, tmp_path: Path) -> None:
    with httpx.stream("GET", service.url + PATH, headers=HEADERS) as response:
        lines = response.iter_lines()
        assert next(lines) == "data: 0"
        stopped = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        # httpx raises RemoteProtocolError unless the last chunk arrives.
        assert all(line.startswith("data: ") for line in lines if line)
    assert service.process.wait(20) == 0
    assert time.monotonic() - stopped < 3
    assert is_closed(tmp_path)


def test_a_stream_that_fails_is_cut_off_and_logged(service: Service, tmp_path: Path) -> None:
    with httpx.stream("GET", service.url + PATH, params={"until": "failure"}, headers=HEADERS) as response:
        with pytest.raises(httpx.RemoteProtocolError):
            response.read()
        request_id = response.headers["X-Request-ID"]
    assert is_closed(tmp_path)
    log = service.log.read_text()
    assert "ValueError" in log
    assert f"request {request_id} failed after its response had begun" in log


def test_a_client_that_does_not_read_stops_the_iterator_until_it_disconnects(service: Service, tmp_path: Path) -> None:
    with httpx.stream("GET", service.url + PATH, params={"until": "full"}, headers=HEADERS):
        time.sleep(2)
        sent = (tmp_path / "sent").read_text()
        time.sleep(0.5)
        # Sockets have buffers of a few megabytes.
        assert (tmp_path / "sent").read_text() == sent
    assert is_closed(tmp_path)


def test_a_stream_may_be_silent_for_longer_than_any_time_limit(tmp_path: Path, settings: dict[str, str]) -> None:
    limits = dict.fromkeys(["HEAD_TIMEOUT", "BODY_TIMEOUT", "KEEP_ALIVE_TIMEOUT"], "1")
    with (
        start(tmp_path, **settings, **limits) as service,
        httpx.stream("GET", service.url + PATH, params={"until": "silent"}, headers=HEADERS, timeout=20) as response,
    ):
        lines = response.iter_lines()
        assert [next(lines), next(lines), next(lines)] == ["data: 0", "", "data: 1"]


def test_head_gets_the_headers_and_starts_no_stream(service: Service) -> None:
    with httpx.Client(base_url=service.url, headers=HEADERS, timeout=5) as client:
        response = client.head(PATH)
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream")
        assert client.get("/health/live").status_code == 200


def test_a_stream_whose_iterator_never_waits_ends_when_its_client_disconnects(service: Service, tmp_path: Path) -> None:
    with httpx.stream("GET", service.url + PATH, params={"until": "busy"}, headers=HEADERS) as response:
        chunks = response.iter_bytes()
        # While it is read, the iterator is never held up by a client that does not read.
        assert [next(chunks) for _ in range(3)]
    assert httpx.get(f"{service.url}/health/live", timeout=5).status_code == 200
    assert is_closed(tmp_path)


def test_a_stream_whose_iterator_is_cancelled_is_cut_off(service: Service) -> None:
    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream("GET", service.url + PATH, params={"until": "cancelled"}, headers=HEADERS) as response,
    ):
        response.read()


def test_a_stream_needs_the_users_token(service: Service) -> None:
    assert httpx.get(service.url + PATH).status_code == 401
