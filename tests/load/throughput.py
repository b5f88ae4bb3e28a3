"""Requests per second and CPU time per request: this service and those it is compared with, in alternating rounds."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any, NamedTuple

import psycopg

from tests.load import generator
from tests.load.data import load, postgres
from tests.load.generator import CONNECTIONS, Load, exchange
from tests.load.machine import cores, describe, on_core
from tests.load.operations import OPERATIONS, Operation, Targets, users
from tests.load.output import progress, spread, table, write
from tests.load.servers import FASTAPI, FASTIFY, LIMIT, NOTHING, OURS, Server, runnable, running

SERVERS = {"ours": OURS, "limit": LIMIT, "fastapi": FASTAPI, "fastify": FASTIFY}
_PAUSE_SECONDS = 0.2
_WARM_UP_SECONDS = 1


class Round(NamedTuple):
    """The result of one server in one round; `cpu` is in microseconds per request."""

    load: Load
    cpu: float


Results = dict[str, list[Round]]
"""By server, its results round by round."""


def main(servers: Sequence[str], only: Sequence[str], rounds: int, seconds: int) -> bool:
    """Measure, print tables, and return whether every request succeeded."""
    operations = [one for one in OPERATIONS if one.name in only]
    with ExitStack() as stack:
        # The load and PostgreSQL share the last core; the servers get the first.
        stack.enter_context(on_core(-1))
        progress("loading 201,000 tasks")
        database = stack.enter_context(postgres())
        load(database, users())
        connection = stack.enter_context(psycopg.connect(database, autocommit=True))
        _write_conditions(connection, rounds, seconds)
        names = runnable([SERVERS[name] for name in servers])
        with on_core(0):
            started = [stack.enter_context(running(name, database)) for name in names]
        results: dict[Operation, Results] = {}
        for operation in operations:
            having = [server for server in started if server.name == OURS or not operation.own]
            if having:
                results[operation] = _measure(operation, having, connection, rounds, seconds)
    _compare(results)
    return not any(_errors(measured) for result in results.values() for measured in result.values())


def _write_conditions(connection: psycopg.Connection[Any], rounds: int, seconds: int) -> None:
    row = connection.execute("SELECT current_setting('server_version')").fetchone()
    with on_core(0), running(NOTHING, "") as server, on_core(-1):
        highest = generator.send(server.url, [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"], 2).rate
    where = "PostgreSQL and the load on another core" if len(cores) > 1 else "all on one core"
    write("\n".join(f"- {line}" for line in describe(row[0] if row else "?")))
    write(f"- Each server: one worker on one core; {where}; {CONNECTIONS} connections; {rounds} rounds of {seconds} s.")
    write(f"- The load: {generator.name()}; {highest:,.0f} requests/s to a server that does nothing.")


def _measure(
    operation: Operation, servers: Sequence[Server], connection: psycopg.Connection[Any], rounds: int, seconds: int
) -> Results:
    connection.execute("VACUUM ANALYZE")
    results: Results = {server.name: [] for server in servers}
    # The first round is a warm-up.
    for number in range(rounds + 1):
        # Tables grow during a round, so the servers take turns at going first.
        first = number % len(servers)
        for server in [*servers[first:], *servers[:first]]:
            progress(f"{operation.title}, round {number} of {rounds}, {server.name}")
            measured = one_round(operation, server, connection, number, seconds if number else _WARM_UP_SECONDS)
            if number:
                results[server.name].append(measured)
    _write_results(operation, results)
    return results


def one_round(
    operation: Operation, server: Server, connection: psycopg.Connection[Any], number: int, seconds: int
) -> Round:
    """Measure an operation once; `number` differs from round to round. Raises RuntimeError if the operation fails."""
    operation.prepare(connection)
    # A number that differs for each round and server makes every PATCH change its task.
    first, *requests = operation.requests(number << 32 | server.pid)
    status, body = exchange(server.url, first)
    if status != operation.status:
        raise RuntimeError(f"{server.name} responds to {operation.title} with {status}: {body!r}")
    time.sleep(_PAUSE_SECONDS)
    before = server.cpu_seconds()
    done = generator.send(server.url, requests or [first], seconds, once=operation.once)
    return Round(done, (server.cpu_seconds() - before) / done.requests * 1e6)


def _errors(measured: Sequence[Round]) -> int:
    return sum(one.load.errors for one in measured)


def _write_results(operation: Operation, results: Results) -> None:
    rows = [
        [
            name,
            f"{median(one.load.rate for one in measured):,.0f}",
            f"{median(one.cpu for one in measured):,.0f}",
            f"{median(one.load.p50 for one in measured):.2f}",
            f"{median(one.load.p99 for one in measured):.2f}",
            f"**{_errors(measured)} FAILED**" if _errors(measured) else "0",
        ]
        for name, measured in results.items()
    ]
    table([operation.title, "requests/s", "CPU µs/request", "p50 ms", "p99 ms", "errors"], rows)


def _compare(results: dict[Operation, Results]) -> None:
    """Write how this service compares with the others: our rate by theirs, their CPU time by ours. Higher is better."""
    for name in Targets._fields:
        other = SERVERS[name]
        rows = []
        for operation, result in results.items():
            if result.keys() >= {OURS, other}:
                target: float | None = getattr(operation.targets, name)
                rows.append(_comparison(operation.title, result[OURS], result[other], target))
        if rows:
            table([f"this service / {other}", "requests/s", "CPU per request", "target", "met"], rows)


def _comparison(title: str, ours: Sequence[Round], others: Sequence[Round], target: float | None) -> list[str]:
    pairs = list(zip(ours, others, strict=True))
    rates = [one.load.rate / other.load.rate for one, other in pairs]
    cpus = [other.cpu / one.cpu for one, other in pairs]
    met = "yes" if target and min(median(rates), median(cpus)) >= target else "**no**"
    return [title, spread(rates, 2), spread(cpus, 2), *([f"{target:.2f}", met] if target else ["-", "-"])]
