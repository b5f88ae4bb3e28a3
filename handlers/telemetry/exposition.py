"""The metrics of all processes, served on a separate port in Prometheus' exposition format."""

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Metric, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


@contextmanager
def exposed(directory: str, host: str, port: int) -> Iterator[None]:
    """Serve, until the context ends, the metrics that all processes write to a directory.

    Raises OSError if the address cannot be listened on.
    """
    registry = CollectorRegistry()
    _LiveProcesses(registry, directory)
    server_class = _IPv6Server if ":" in host else WSGIServer
    with make_server(host, port, make_wsgi_app(registry), server_class, _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


class _IPv6Server(WSGIServer):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    # Requests are served one at a time, so that they cannot use up the threads and descriptors that the API needs. A
    # client that sends nothing blocks the others for this many seconds.
    timeout = 2

    def log_message(self, *_: object) -> None:
        """Keep scrapes out of the logs."""


class _LiveProcesses(MultiProcessCollector):
    """A collector that drops the gauges of processes that have ended; Prometheus' collector keeps them."""

    def __init__(self, registry: CollectorRegistry, directory: str) -> None:
        super().__init__(registry, directory)  # type: ignore[no-untyped-call]
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
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
