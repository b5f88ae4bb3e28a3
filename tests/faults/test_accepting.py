"""Clients that have connected are accepted although the service has much to do, or has to stop."""

import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.freezing import frozen
from tests.support.server import Service, start
from tests.support.workers import wait_until_all_serve

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
NEW = 400


def connect(service: Service) -> socket.socket:
    """Open a connection to the service."""
    address = urlsplit(service.url)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=60)


def answer(client: socket.socket) -> bytes:
    """Return the beginning of the response; nothing if the connection is reset."""
    try:
        return client.recv(15)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_while_there_is_much_to_do_resets_no_connection(tmp_path: Path, database: str, workers: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY=workers) as service, ExitStack() as stack:
        wait_until_all_serve(service, int(workers))
        busy = [stack.enter_context(connect(service)) for _ in range(50)]
        for client in busy:
            client.sendall(LIVE)
            assert answer(client)
        with frozen(service):
            for client in busy:
                client.sendall(LIVE * 300)
            new = [stack.enter_context(connect(service)) for _ in range(NEW)]
            for client in new:
                client.sendall(LIVE)
            service.process.send_signal(signal.SIGTERM)
        assert [answer(client) for client in new] == [b"HTTP/1.1 200 OK"] * NEW
