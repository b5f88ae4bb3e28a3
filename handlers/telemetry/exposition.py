"""The metrics of all processes, served on a separate port in Prometheus' exposition format."""

import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Metric, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ODD_VERSION = re.compile(r"version=(?![0-9]{1,9}(\.[0-9]{1,9})*\s*([,;]|$))")
_MOST_CONNECTIONS = 10
_MOST_SECONDS = 5


@contextmanager
def exposed(directory: str, host: str, port: int) -> Iterator[None]:
    """Serve, until the context ends, the metrics that all processes write to a directory.

    Raises OSError if the address cannot be listened on.
    """
    registry = CollectorRegistry()
    _LiveProcesses(registry, directory)
    server_class = _IPv6Server if ":" in host else _Server
    with make_server(host, port, _tolerant(make_wsgi_app(registry)), server_class, _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def _tolerant(app: "WSGIApplication") -> "WSGIApplication":
    """Ignore an Accept header with a version that is no number, with which prometheus-client fails."""

    def tolerant(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if _ODD_VERSION.search(environ.get("HTTP_ACCEPT", "")):
            del environ["HTTP_ACCEPT"]
        return app(environ, start_response)

    return tolerant


class _Server(ThreadingMixIn, WSGIServer):
    """A server that ends connections which last too long, and the oldest one if there are too many.

    Slow clients can neither keep others from scraping, nor use up the threads and descriptors that the API needs.
    """

    # How many connections the kernel accepts while the server waits for room.
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        # The open connections, the oldest first, with the time when each was accepted.
        self._open: dict[socket.socket, float] = {}
        self._changed = Condition()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, once there is room for it."""
        with self._changed:
            if len(self._open) == _MOST_CONNECTIONS:
                _end(next(iter(self._open)))
                self._changed.wait_for(lambda: len(self._open) < _MOST_CONNECTIONS)
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection whose thread has finished."""
        with self._changed:
            del self._open[request]
            super().shutdown_request(request)
            self._changed.notify()

    def service_actions(self) -> None:
        """End the connections that have lasted too long; the server calls this twice a second."""
        with self._changed:
            for request, accepted in self._open.items():
                if time.monotonic() - accepted > _MOST_SECONDS:
                    _end(request)

    def server_close(self) -> None:
        """End all connections, and wait for their threads: while one collects metrics, it reads their files."""
        with self._changed:
            for request in self._open:
                _end(request)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, unless the client caused it by leaving or being slow."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _end(request: socket.socket) -> None:
    """Make the thread that reads from a connection, or writes to it, fail at once."""
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _IPv6Server(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep scrapes out of the logs."""


class _LiveProcesses(MultiProcessCollector):
    """A collector that drops the gauges of processes that have ended; Prometheus' collector keeps them."""

    def __init__(self, registry: CollectorRegistry, directory: str) -> None:
        super().__init__(registry, directory)  # type: ignore[no-untyped-call]
        self._directory = directory
        self._lock = Lock()

    def collect(self) -> Iterable[Metric]:
        # One scrape at a time, because two of them would remove the same files.
        with self._lock:
            for pid in {int(file.stem.rpartition("_")[2]) for file in Path(self._directory).glob("gauge_live*.db")}:
                if not _is_alive(pid):
                    mark_process_dead(pid, self._directory)  # type: ignore[no-untyped-call]
            return super().collect()  # type: ignore[no-untyped-call, no-any-return]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        # PermissionError: the process has ended, and its id now belongs to another user's process.
        return False
    return True
