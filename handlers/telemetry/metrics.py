"""The metrics of one process, for Prometheus; `exposition.py` serves those of all processes.

Import this module only after PROMETHEUS_MULTIPROC_DIR has been set to the directory that all processes share:
prometheus-client reads the variable once, when it is imported.
"""

import asyncio
import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storage.driver.database import Database
from storage.watchers import Watchers

_PAUSE_SECONDS = 1.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")

# The library's default registry would add collectors that cover a single process only.
_registry = CollectorRegistry()
_requests = Counter(
    "todo_api_requests",
    "Requests by operation and response status; operation is none for a request outside the contract.",
    ["operation", "status"],
    registry=_registry,
)
_duration = Histogram(
    "todo_api_request_duration_seconds",
    "Time in seconds from a request to the start of its response, by operation.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=_registry,
)
_refused_tokens = Counter("todo_api_refused_tokens", "Requests rejected because of their token.", registry=_registry)
_database_failures = Counter(
    "todo_api_database_failures",
    "Requests that failed because of the database: it is away, it responds but not to the request's statement, or the "
    "user's share of the connections is used up.",
    ["reason"],
    registry=_registry,
)
# A rate would miss the first failure if the series began with it.
for _reason in ("away", "statement", "share"):
    _database_failures.labels(_reason)
_in_use = Gauge(
    "todo_api_pool_connections_in_use",
    "Database connections in use by requests.",
    multiprocess_mode="livesum",
    registry=_registry,
)
_waiting = Gauge(
    "todo_api_pool_requests_waiting",
    "Requests waiting for their turn on a database connection.",
    multiprocess_mode="livesum",
    registry=_registry,
)
_streams = Gauge(
    "todo_api_streams_open",
    "Streams of events that are open, and requests that wait for changes.",
    multiprocess_mode="livesum",
    registry=_registry,
)
_events = Counter("todo_api_events_sent", "Events that were sent on streams.", registry=_registry)
_announcement_delay = Histogram(
    "todo_api_announcement_delay_seconds",
    "Time in seconds from a write to its announcement in another process, by the clocks of both.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    registry=_registry,
)
_catches = Counter(
    "todo_api_backstop_catches",
    "Changes that were found by looking now and then, because no announcement of them was heard.",
    registry=_registry,
)
_resets = Counter(
    "todo_api_sync_resets", "Sync tokens that were rejected, so that a client downloads everything.", registry=_registry
)
_memory = Gauge(
    "process_resident_memory_bytes",
    "Resident memory of each worker, in bytes.",
    multiprocess_mode="liveall",
    registry=_registry,
)


def count_request(operation_id: str | None, status: int, seconds: float) -> None:
    """Count a request that got a response, and its duration. The operation is None for a path outside the contract."""
    operation = operation_id or "none"
    _requests.labels(operation, status).inc()
    _duration.labels(operation).observe(seconds)


def count_refused_token() -> None:
    """Count a request whose token was rejected."""
    _refused_tokens.inc()


def count_database_failure(reason: str) -> None:
    """Count a request that failed because of the database. The reason is `away`, `statement` or `share`."""
    _database_failures.labels(reason).inc()


def count_event() -> None:
    """Count an event that was sent on a stream."""
    _events.inc()


def observe_announcement_delay(seconds: float) -> None:
    """Count an announcement of another process, and how long after the write it was heard."""
    _announcement_delay.observe(seconds)


def count_catches(number: int) -> None:
    """Count changes of which no announcement was heard."""
    _catches.inc(number)


def count_sync_reset() -> None:
    """Count a sync token that was rejected with 410."""
    _resets.inc()


async def sample(database: Database, watchers: Watchers) -> None:
    """Update the gauges of the connection pool, of streams and of memory every second, until cancelled."""
    while True:
        in_use, waiting = database.load()
        _in_use.set(in_use)
        _waiting.set(waiting)
        _streams.set(len(watchers))
        _memory.set(_resident_memory())
        await asyncio.sleep(_PAUSE_SECONDS)


def _resident_memory() -> int:
    """Return the resident memory of this process in bytes; 0 where there is no `/proc`, as on macOS."""
    return int(_STATM.read_text().split()[1]) * _PAGE_BYTES if _STATM.exists() else 0
