"""Metrics of one process, for Prometheus; `exposition.py` serves those of all processes.

Import it only where PROMETHEUS_MULTIPROC_DIR names the folder that they share: prometheus-client looks once.
"""

import asyncio
import os
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class MetricsMiddleware:
    """Counts and times every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it when its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                operation = scope["state"].get("operation_id") or "none"
                _requests.labels(operation, message["status"]).inc()
                _duration.labels(operation).observe(time.perf_counter() - started)
                if message["status"] == 401 and any(b"invalid_token" in value for _, value in message["headers"]):
                    _refused_tokens.inc()
            await send(message)

        await self._app(scope, receive, send_counted)


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
