"""Metrics of one process, for Prometheus; `exposition.py` serves those of all processes.

Import it only where PROMETHEUS_MULTIPROC_DIR names the folder that they share: prometheus-client looks once.
"""

import asyncio
import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storage.driver.database import Database

_PAUSE_SECONDS = 1.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")

# Not the library's default one, which has collectors of its own that know one process only.
_registry = CollectorRegistry()
_requests = Counter(
    "todo_api_requests",
    "Requests answered, by operation (none: what the contract does not have) and status.",
    ["operation", "status"],
    registry=_registry,
)
_duration = Histogram(
    "todo_api_request_duration_seconds",
    "How long requests took, by operation.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=_registry,
)
_refused_tokens = Counter("todo_api_refused_tokens", "Requests whose token was refused.", registry=_registry)
_in_use = Gauge(
    "todo_api_pool_connections_in_use",
    "Connections to the database that requests are using.",
    multiprocess_mode="livesum",
    registry=_registry,
)
_waiting = Gauge(
    "todo_api_pool_requests_waiting",
    "Requests that wait for a connection.",
    multiprocess_mode="livesum",
    registry=_registry,
)
_memory = Gauge(
    "process_resident_memory_bytes",
    "Resident memory of each worker.",
    multiprocess_mode="liveall",
    registry=_registry,
)


def count_request(operation_id: str | None, status: int, seconds: float) -> None:
    """Count a request that has been responded to, and how long that took; None is a path without an operation."""
    operation = operation_id or "none"
    _requests.labels(operation, status).inc()
    _duration.labels(operation).observe(seconds)


def count_refused_token() -> None:
    """Count a request whose token was refused."""
    _refused_tokens.inc()


async def sample(database: Database) -> None:
    """Note the pool and the memory, again and again."""
    while True:
        in_use, waiting = database.load()
        _in_use.set(in_use)
        _waiting.set(waiting)
        _memory.set(_resident_memory())
        await asyncio.sleep(_PAUSE_SECONDS)


def _resident_memory() -> int:
    """Return bytes, as Linux tells them; 0 elsewhere."""
    return int(_STATM.read_text().split()[1]) * _PAGE_BYTES if _STATM.exists() else 0
