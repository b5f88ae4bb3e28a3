"""Metrics of all processes, on a port of their own, in Prometheus' exposition format."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


@contextmanager
def exposed(directory: str, host: str, port: int) -> Iterator[None]:
    """Serve what all processes write into a directory. Raises OSError when it cannot listen."""
    registry = CollectorRegistry()
    _LiveProcesses(registry, directory)
    server, _ = start_http_server(port, host, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _LiveProcesses(MultiProcessCollector):
    """Prometheus' own collector, which is to be told of processes that have ended."""

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
    except ProcessLookupError:
        return False
    return True
