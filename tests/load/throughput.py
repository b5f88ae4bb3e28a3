"""Requests per second and processor time per request: this service, the limit and FastAPI, in alternating rounds."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

import psycopg

from tests.load.data import OTHERS, READER, WRITER, load, postgres
from tests.load.generator import Load, wrk
from tests.load.machine import cpu_seconds, on_core
from tests.load.operations import OPERATIONS, Operation
from tests.load.servers import Server, running

_PAUSE_SECONDS = 0.2


class Round(NamedTuple):
    """What one server did in one round; `cpu` is in microseconds per request."""

    load: Load
    cpu: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.load.requests / self.load.seconds


def main(servers: Sequence[str], only: Sequence[str], rounds: int, seconds: float) -> bool:
    """Measure, print tables, and return whether no request failed."""
    operations = [one for one in OPERATIONS if not only or one.name in only]
    with ExitStack() as stack:
        stack.enter_context(on_core(-1))
        database = stack.enter_context(postgres())
        load(database, {READER: 1000, WRITER: 0} | dict.fromkeys(OTHERS, 1005))
        started = [stack.enter_context(running(name, database)) for name in servers]
        results = {one.name: _measure(one, started, database, rounds, seconds) for one in operations}
    return not any(measured.load.errors for result in results.values() for all_ in result.values() for measured in all_)


def _measure(
    operation: Operation, servers: Sequence[Server], database: str, rounds: int, seconds: float
) -> dict[str, list[Round]]:
    """Return what each server did, round by round, and print it."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE tasks, accounts")
    requests = operation.requests()
    for server in servers:
        wrk(server.url, requests, 1)
    results: dict[str, list[Round]] = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in servers:
            print(f"\r{operation.title}: round {number + 1} of {rounds}  ", end="", file=sys.stderr)
            time.sleep(_PAUSE_SECONDS)
            before = cpu_seconds(server.pid)
            done = wrk(server.url, requests, seconds)
            results[server.name].append(Round(done, (cpu_seconds(server.pid) - before) / done.requests * 1e6))
    print(file=sys.stderr)
    _print(operation, results)
    return results


def _print(operation: Operation, results: dict[str, list[Round]]) -> None:
    print(f"\n| {operation.title} | req/s | CPU µs/request | p50 ms | p99 ms | errors |")
    print("|---|---|---|---|---|---|")
    for name, measured in results.items():
        errors = sum(one.load.errors for one in measured)
        cells = [f"{median(one.rate for one in measured):,.0f}", f"{median(one.cpu for one in measured):.0f}"]
        cells += [f"{median(one.load.p50 for one in measured):.2f}", f"{median(one.load.p99 for one in measured):.2f}"]
        print("|", " | ".join([name, *cells, str(errors)]), "|")
