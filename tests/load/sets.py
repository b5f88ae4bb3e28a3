"""How long one request for a hundred tasks takes, beside a hundred requests: one after another on one connection."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson
import psycopg

from tests.load.data import OTHERS, WRITER, load, postgres
from tests.load.machine import cpu_seconds, on_core, parent_of
from tests.load.operations import SET, a_hundred, creating_batch, creation, request, users
from tests.load.output import progress, spread, table
from tests.load.servers import OURS, Server, running

_ROUNDS = 40
_TARGET = 15
_USER = OTHERS[0]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SINGLE, _BATCH = "100 POSTs, one after the other", "batch of 100 creates"


class Sample(NamedTuple):
    """What a step took: elapsed time, and CPU time of the service and of PostgreSQL, all in milliseconds."""

    elapsed: float
    service: float
    database: float


class Connection:
    """A persistent connection to a server."""

    def __init__(self, url: str) -> None:
        """Connect. Raises OSError."""
        address = urlsplit(url)
        self._socket = socket.create_connection((str(address.hostname), address.port or 80), timeout=30)

    def send(self, message: bytes) -> bytes:
        """Send a request, and return the body of its response. Raises RuntimeError if its status is not 2xx."""
        self._socket.sendall(message)
        received = b""
        while not _is_complete(received):
            received += self._socket.recv(1 << 20)
        head, _, body = received.partition(b"\r\n\r\n")
        if head[9:10] != b"2":
            raise RuntimeError(f"{message[:60]!r} failed: {received!r}")
        return body


def _is_complete(response: bytes) -> bool:
    head, end, body = response.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and length is not None and len(body) == int(length[1])


def steps(connection: Connection, number: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the name of each step of a round, and what it does. `number` differs from round to round."""
    one, batch = creation(WRITER), creating_batch(WRITER)
    yield _SINGLE, lambda: [connection.send(one) for _ in range(SET)]
    yield _BATCH, lambda: connection.send(batch)
    change = request("PATCH", _USER, a_hundred(_USER), {"title": f"Buy milk for the {number}. time"})
    yield "`update_tasks` of 100", lambda: connection.send(change)
    deletions: list[str] = []
    delete = request("DELETE", _USER, a_hundred(_USER))
    yield "`delete_tasks` of 100", lambda: deletions.append(orjson.loads(connection.send(delete))["deletion_id"])
    restore = request("POST", _USER, "/trash/restore", {"deletion_id": deletions[0]})
    yield "`restore_deletion` of 100", lambda: connection.send(restore)


def main() -> None:
    """Measure, and print a table."""
    with ExitStack() as stack:
        stack.enter_context(on_core(-1))
        database = stack.enter_context(postgres())
        load(database, users())
        control = stack.enter_context(psycopg.connect(database, autocommit=True))
        with on_core(0):
            server = stack.enter_context(running(OURS, database))
        postmaster = parent_of(control.info.backend_pid)
        connection = Connection(server.url)
        samples: dict[str, list[Sample]] = {}
        # The first two rounds are a warm-up.
        for number in range(_ROUNDS + 2):
            progress(f"sets of 100 tasks, round {number} of {_ROUNDS + 1}")
            for name, step in steps(connection, number):
                samples.setdefault(name, []).append(measure(step, server, postmaster))
    _write({name: found[2:] for name, found in samples.items()})


def measure(step: Callable[[], object], server: Server, postmaster: int) -> Sample:
    """Take a step, and return what it took; `postmaster` is the process id of PostgreSQL."""
    service, database, started = server.cpu_seconds(), cpu_seconds(postmaster), time.perf_counter()
    step()
    elapsed = time.perf_counter() - started
    return Sample(elapsed * 1e3, (server.cpu_seconds() - service) * 1e3, (cpu_seconds(postmaster) - database) * 1e3)


def _write(samples: dict[str, list[Sample]]) -> None:
    rows = [
        [
            name,
            spread([one.elapsed for one in found], 1),
            # The mean, because the kernel's clock is coarser than most steps.
            f"{sum(one.service for one in found) / len(found):.1f}",
            f"{sum(one.database for one in found) / len(found):.1f}",
        ]
        for name, found in samples.items()
    ]
    table(["one connection", "ms", "CPU ms", "CPU ms of PostgreSQL"], rows)
    ratios = [single.elapsed / batch.elapsed for single, batch in zip(samples[_SINGLE], samples[_BATCH], strict=True)]
    table(
        [f"{_SINGLE} / {_BATCH}", "target", "met"],
        [[spread(ratios, 1), "15", "yes" if median(ratios) >= 15 else "**no**"]],
    )
