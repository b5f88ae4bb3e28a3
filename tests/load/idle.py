"""What a thousand clients cost a worker while nothing happens: open streams, and `changes` that wait."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import psycopg
import uvloop

from tests.load.data import EPOCH, load, postgres
from tests.load.listeners import streaming, waiting
from tests.load.machine import allow_descriptors, cpu_seconds, on_core, parent_of, proportional_bytes
from tests.load.operations import request
from tests.load.output import progress, table
from tests.load.servers import OURS, Server, running

TASKS = 5
"""How many tasks each of the users has."""
_WARM_UP = 50
_SETTLE_SECONDS = 3
# Twice as long as a stream is silent, and as long as a request waits.
_MEASURED_SECONDS = 30
_KILOBYTES, _PERCENT = 40, 2


class Cost(NamedTuple):
    """Memory of the worker in KB for each client, and CPU time as a percentage of a core."""

    kilobytes: float
    service: float
    database: float


Clients = Callable[[str, Sequence[str]], AbstractAsyncContextManager[object]]
"""Connects to a URL for each of some users, and raises RuntimeError at the end if one of the connections was lost."""


def listeners(count: int) -> list[str]:
    """Return the users who listen, each of whom has a token of their own."""
    return [f"listener-{number}" for number in range(count)]


def event_requests(users: Iterable[str]) -> list[bytes]:
    """Return requests for the streams of some users."""
    return [request("GET", user, "/events", Accept="text/event-stream") for user in users]


def _streams(url: str, users: Sequence[str]) -> AbstractAsyncContextManager[object]:
    return streaming(url, event_requests(users))


def _waits(url: str, users: Sequence[str]) -> AbstractAsyncContextManager[object]:
    path = f"/changes?wait=30&sync_token={EPOCH}.{TASKS}.0"
    return waiting(url, [request("GET", user, path) for user in users])


_KINDS: dict[str, Clients] = {"idle streams": _streams, "requests with `wait=30`": _waits}


def main(count: int, seconds: int = _MEASURED_SECONDS) -> None:
    """Measure so many clients of each kind, and print a table. Raises RuntimeError if a client was lost."""
    allow_descriptors(count + 1000)
    users = listeners(count)
    costs: dict[str, Cost] = {}
    with on_core(-1), postgres() as database, psycopg.connect(database, autocommit=True) as control:
        load(database, dict.fromkeys(users, TASKS))
        for name, clients in _KINDS.items():
            # Each kind has a worker of its own, whose memory nobody has used before.
            with on_core(0), running(OURS, database, EVENTS_PER_WORKER=str(count + _WARM_UP)) as server, on_core(-1):
                progress(f"{count:,} {name}")
                costs[name] = uvloop.run(_measure(clients, server, users, control, seconds))
    _write(costs, count)


async def _measure(
    clients: Clients, server: Server, users: Sequence[str], control: psycopg.Connection[Any], seconds: int
) -> Cost:
    async with clients(server.url, users[:_WARM_UP]):
        await asyncio.sleep(1)
    before = proportional_bytes(server.pid)
    postmaster = parent_of(control.info.backend_pid)
    async with clients(server.url, users):
        await asyncio.sleep(_SETTLE_SECONDS)
        grown = proportional_bytes(server.pid) - before
        service, database = server.cpu_seconds(), cpu_seconds(postmaster)
        await asyncio.sleep(seconds)
        service, database = server.cpu_seconds() - service, cpu_seconds(postmaster) - database
    # Until the worker has noticed that thousands have left, it would not stop in time.
    await asyncio.sleep(_SETTLE_SECONDS)
    return Cost(grown / len(users) / 1000, 100 * service / seconds, 100 * database / seconds)


def _write(costs: dict[str, Cost], count: int) -> None:
    percent = _PERCENT * count / 1000
    rows = [
        [
            f"{count:,} {name}",
            f"{cost.kilobytes:.1f} (at most {_KILOBYTES})",
            f"{cost.service:.2f} (at most {percent:g})",
            f"{cost.database:.2f}",
            "yes" if cost.kilobytes <= _KILOBYTES and cost.service <= percent else "**no**",
        ]
        for name, cost in costs.items()
    ]
    head = ["one worker", "memory for each, KB", "% of a core", "% of a core, PostgreSQL", "met"]
    table(head, rows)
