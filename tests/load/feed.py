"""What `changes` costs: a large page beside ten small ones, and an empty one beside a list that has not changed."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median
from typing import Any

import psycopg

from tests.load.data import READER, load, postgres
from tests.load.machine import on_core, parent_of
from tests.load.operations import OPERATIONS, request, users
from tests.load.output import progress, spread, table
from tests.load.servers import OURS, Server, running
from tests.load.sets import Connection, Sample, measure
from tests.load.throughput import Round, one_round

_PAGE, _PAGES_ROUNDS = 500, 100
_MOST_OF_PAGES, _MOST_OF_304 = 1.0, 1.2
_ONE, _TEN, _LIST = "a page of 500 changes", "ten pages of 50 changes", "ten pages of 50 of the list"
_NEXT = {"sync_token": re.compile(rb'"sync_token":"([^"]+)"'), "cursor": re.compile(rb'"next_cursor":"([^"]+)"')}


def main(rounds: int, seconds: int) -> bool:
    """Measure, print two tables, and return whether every request succeeded."""
    with ExitStack() as stack:
        stack.enter_context(on_core(-1))
        database = stack.enter_context(postgres())
        load(database, users())
        control = stack.enter_context(psycopg.connect(database, autocommit=True))
        with on_core(0):
            server = stack.enter_context(running(OURS, database))
        pages = _measure_pages(server, parent_of(control.info.backend_pid))
        polls = _measure_polls(server, control, rounds, seconds)
    _write_pages(pages)
    _write_ratios(pages, polls)
    return not any(one.load.errors for found in polls.values() for one in found)


def steps(connection: Connection) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the name of each step of a round, and what it does: all read the same number of tasks."""
    yield _ONE, lambda: connection.send(request("GET", READER, f"/changes?limit={_PAGE}"))
    yield _TEN, lambda: _read_pages(connection, "/changes?limit=50", "sync_token")
    yield _LIST, lambda: _read_pages(connection, "/tasks?limit=50", "cursor")


def _read_pages(connection: Connection, path: str, parameter: str) -> None:
    """Read ten pages, each from where the one before ended."""
    following = path
    for _ in range(10):
        found = _NEXT[parameter].search(connection.send(request("GET", READER, following)))
        assert found is not None
        following = f"{path}&{parameter}={found[1].decode()}"


def _measure_pages(server: Server, postmaster: int) -> dict[str, list[Sample]]:
    progress(f"pages of changes, {_PAGES_ROUNDS} rounds")
    connection = Connection(server.url)
    samples: dict[str, list[Sample]] = {}
    # The first rounds are a warm-up: plans settle after ten executions of a statement.
    for _ in range(_PAGES_ROUNDS + 12):
        for name, step in steps(connection):
            samples.setdefault(name, []).append(measure(step, server, postmaster))
    return {name: found[12:] for name, found in samples.items()}


def _measure_polls(
    server: Server, control: psycopg.Connection[Any], rounds: int, seconds: int
) -> dict[str, list[Round]]:
    operations = [one for one in OPERATIONS if one.name in ("poll-list", "poll-changes")]
    results: dict[str, list[Round]] = {one.name: [] for one in operations}
    # The first round is a warm-up.
    for number in range(rounds + 1):
        operations.reverse()
        for one in operations:
            progress(f"{one.title}, round {number} of {rounds}")
            measured = one_round(one, server, control, number, seconds)
            results[one.name] += [measured] if number else []
    return results


def _write_pages(samples: dict[str, list[Sample]]) -> None:
    rows = []
    for name, found in samples.items():
        # The mean of the CPU time, because the kernel's clock is coarser than most steps.
        service = sum(one.service for one in found) / len(found)
        database = sum(one.database for one in found) / len(found)
        rows.append([name, spread([one.elapsed for one in found], 1), f"{service:.1f}", f"{database:.1f}"])
    table(["one connection", "ms", "CPU ms", "CPU ms of PostgreSQL"], rows)


def _write_ratios(pages: dict[str, list[Sample]], polls: dict[str, list[Round]]) -> None:
    large, pairs = pages[_ONE], list(zip(polls["poll-changes"], polls["poll-list"], strict=True))
    rows = [_ratio(f"{_ONE} / {_TEN}", *_compared(large, pages[_TEN]), _MOST_OF_PAGES)]
    times = [unchanged.load.rate / empty.load.rate for empty, unchanged in pairs]
    cpus = [empty.cpu / unchanged.cpu for empty, unchanged in pairs]
    rows.append(_ratio("an empty `changes` / a 304 of a list", times, median(cpus), _MOST_OF_304))
    table(["", "time", "CPU", "at most", "met"], rows)


def _compared(large: list[Sample], small: list[Sample]) -> tuple[list[float], float]:
    """Return the ratio of the times in each round, and that of the CPU time of all rounds."""
    times = [one.elapsed / other.elapsed for one, other in zip(large, small, strict=True)]
    one, other = (sum(step.service + step.database for step in found) for found in (large, small))
    return times, one / other


def _ratio(name: str, times: list[float], cpu: float, target: float) -> list[str]:
    met = max(median(times), cpu) <= target
    return [name, spread(times, 2), f"{cpu:.2f}", f"{target:g}", "yes" if met else "**no**"]
