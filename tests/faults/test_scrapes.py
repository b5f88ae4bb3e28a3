"""Slow clients of METRICS_PORT: they keep nobody from scraping, nor the service from stopping, and fill no log."""

import os
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from tests.support.server import Service, free_port, has_ended, start

# The port serves this many connections at once, each in a thread.
CONNECTIONS = 10


@contextmanager
def scraped(database: str, directory: Path, **settings: str) -> Iterator[tuple[Service, int]]:
    """Yield a service, and the port of its metrics."""
    port = free_port()
    with start(directory, DATABASE_URL=database, METRICS_PORT=str(port), **settings) as service:
        yield service, port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def scrape(port: int) -> int:
    """Return the status of the response."""
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=20).status_code


@contextmanager
def dripping(port: int) -> Iterator[Thread]:
    """Send a request byte by byte, five bytes a second, until the server ends the connection; yield what sends it."""
    stopped = Event()

    def drip() -> None:
        with suppress(OSError):
            client.sendall(b"GET /")
            while not stopped.wait(0.2):
                client.sendall(b"a")

    with connect(port) as client:
        thread = Thread(target=drip)
        thread.start()
        try:
            yield thread
        finally:
            stopped.set()
            thread.join()


def test_slow_clients_block_no_scrape_and_use_few_threads(database: str, tmp_path: Path) -> None:
    with scraped(database, tmp_path) as (service, port), ExitStack() as slow:
        process = Path(f"/proc/{service.process.pid}")
        before = len(list((process / "task").iterdir()))
        for number in range(50):
            client = slow.enter_context(connect(port))
            # The server may have ended it already, to make room for others.
            with suppress(ConnectionError):
                client.sendall(b"GET /metr" if number % 2 else b"")
        assert scrape(port) == 200
        assert len(list((process / "task").iterdir())) <= before + CONNECTIONS


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_client_that_sends_slowly_delays_neither_scrapes_nor_the_stop(
    database: str, tmp_path: Path, workers: str
) -> None:
    with scraped(database, tmp_path, WEB_CONCURRENCY=workers) as (service, port), dripping(port):
        assert scrape(port) == 200
        assert service.stop() in (0, -signal.SIGTERM)
        assert has_ended(service.process.pid)


def test_a_request_that_takes_too_long_is_ended(database: str, tmp_path: Path) -> None:
    with scraped(database, tmp_path) as (_, port), dripping(port) as thread:
        thread.join(20)
        assert not thread.is_alive()


def test_clients_that_are_silent_slow_or_leave_are_not_logged(database: str, tmp_path: Path) -> None:
    with scraped(database, tmp_path) as (service, port):
        with connect(port) as silent, connect(port) as half, connect(port) as leaving, connect(port) as unread:
            half.sendall(b"GET /metrics HTTP/1.1\r\nHost")
            leaving.sendall(b"GET /metr")
            unread.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            for client in (leaving, unread):
                # Closed like this, a connection is reset.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            assert silent.recv(1) == half.recv(1) == b""
        assert scrape(port) == 200
        service.stop()
        assert "Traceback" not in service.log.read_text()
        assert "Exception" not in service.log.read_text()


@pytest.mark.parametrize("version", ["x.y", "1.x", "", "0.0.4", "1.0.0", "9" * 5000])
def test_any_version_in_the_accept_header_is_taken(database: str, tmp_path: Path, version: str) -> None:
    with scraped(database, tmp_path) as (service, port):
        for name in ("text/plain", "application/openmetrics-text"):
            accept = {"Accept": f"{name};version={version}"}
            assert httpx.get(f"http://127.0.0.1:{port}/metrics", headers=accept, timeout=20).status_code == 200
        assert "Traceback" not in service.log.read_text()


def test_scrapes_at_the_same_time_remove_the_gauges_of_dead_workers(database: str, tmp_path: Path) -> None:
    with scraped(database, tmp_path, TMPDIR=str(tmp_path)) as (service, port):
        (directory,) = tmp_path.glob("todo-api-metrics-*")
        gauge = next(directory.glob(f"gauge_live*_{service.process.pid}.db"))
        for number in range(500):
            # These processes have ended: Linux assigns no ids as high as these.
            os.link(gauge, directory / gauge.name.replace(str(service.process.pid), str(5_000_000 + number)))
        with ExitStack() as opened:
            clients = [opened.enter_context(connect(port)) for _ in range(CONNECTIONS)]
            for client in clients:
                client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert {client.recv(15) for client in clients} == {b"HTTP/1.0 200 OK"}
