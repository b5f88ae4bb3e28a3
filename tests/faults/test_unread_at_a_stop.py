"""Clients that do not read while the service stops: they delay its end, and fill no log."""

import re
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.support.client import mint
from tests.support.copies import add_operation, copy_project
from tests.support.server import Service, start

CLIENTS = 20
OPERATION = """
  /api/{user_id}/zeros:
    parameters:
      - $ref: '#/components/parameters/UserId'
    get:
      operationId: stream_zeros
      tags: [zeros]
      summary: Stream zeros
      description: As fast as the client reads.
      responses:
        '200':
          description: The zeros.
          headers: {}
          content:
            text/event-stream:
              schema: {type: string}
"""
HANDLER = """
from contextlib import aclosing
from functools import partial

from handlers.responses.response import Response
from handlers.responses.streams import Stream


async def stream_zeros(user_id: str) -> Response:
    return Stream(partial(aclosing, _zeros()), "text/event-stream")


async def _zeros():
    while True:
        yield b"0" * 100_000
"""
STREAM = f"GET /api/ada/zeros HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mint('ada')}\r\n\r\n".encode()


def send(service: Service, data: bytes) -> socket.socket:
    """Open a connection, send this, and return the connection, from which nothing is read."""
    address = urlsplit(service.url)
    client = socket.create_connection((str(address.hostname), address.port or 80), timeout=20)
    client.sendall(data)
    return client


def test_clients_that_read_nothing_cause_no_errors_when_the_service_stops(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, ExitStack() as stack:
        asset = re.findall(r"assets/\w+/redoc.js", httpx.get(f"{service.url}/redoc").text)[0]
        # More than the system buffers, so that the service cannot write the last response.
        downloads = f"GET /{asset} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 4
        for _ in range(CLIENTS):
            stack.enter_context(send(service, downloads))
        time.sleep(1)
        assert service.stop() == 0
        log = service.log.read_text()
    assert f"Cancel {CLIENTS} running task(s)" in log
    assert log.count(" ERROR: ") == 1
    assert "Traceback" not in log


def test_a_stream_that_is_read_late_has_its_end_and_one_that_is_not_read_causes_no_error(
    tmp_path: Path, database: str, server: str
) -> None:
    assert server, "it has migrated the database"
    copy_project(tmp_path)
    add_operation(tmp_path, OPERATION, "zeros", HANDLER)
    with (
        start(tmp_path, DATABASE_URL=database, PYTHONPATH=str(tmp_path)) as service,
        send(service, STREAM),
        send(service, STREAM) as late,
    ):
        time.sleep(1)
        service.process.send_signal(signal.SIGTERM)
        while "Shutting down" not in service.log.read_text():
            time.sleep(0.05)
        time.sleep(0.5)
        received = b"".join(iter(lambda: late.recv(65_536), b""))
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.endswith(b"\r\n0\r\n\r\n")
        assert service.process.wait(20) == 0
        log = service.log.read_text()
    assert "Cancel 1 running task(s)" in log
    assert "Traceback" not in log
