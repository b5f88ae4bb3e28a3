"""The rate of POSTs beside open streams, compared with the rate without them, in alternating rounds."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any, NamedTuple

import psycopg
import uvloop

from tests.load.data import load, postgres
from tests.load.idle import TASKS, event_requests, listeners
from tests.load.listeners import streaming
from tests.load.machine import allow_descriptors, on_core
from tests.load.operations import OPERATIONS, WRITERS, users
from tests.load.output import progress, spread, table
from tests.load.servers import OURS, Server, running
from tests.load.throughput import Round, one_round

_TARGET = 0.9
_SETTLE_SECONDS = 2
# For so long after the last stream of another replica has ended, the service still announces its writes.
_FORGET_SECONDS = 17
(_POST,) = [one for one in OPERATIONS if one.name == "post"]


class Scene(NamedTuple):
    """Who has the streams, whether another replica serves them, and the least ratio of the rates, if there is one."""

    name: str
    watching: Sequence[str]
    elsewhere: bool = False
    target: float | None = None


class Pair(NamedTuple):
    """Two rounds next to each other: with streams and without. `events` arrived per second."""

    beside: Round
    alone: Round
    events: float


def scenes(count: int) -> list[Scene]:
    """Return the scenes that are measured, with so many streams each."""
    of_writers = tuple(WRITERS[number % len(WRITERS)] for number in range(count))
    return [
        Scene("of users who do not write", tuple(listeners(count)), target=_TARGET),
        Scene(f"of the {len(WRITERS)} users who write", of_writers),
        Scene(f"of the {len(WRITERS)} users who write, on another replica", of_writers, elsewhere=True),
    ]


def main(count: int, rounds: int, seconds: int) -> bool:
    """Measure all scenes, print a table, and return whether every request succeeded."""
    allow_descriptors(count + 1000)
    with ExitStack() as stack:
        stack.enter_context(on_core(-1))
        database = stack.enter_context(postgres())
        load(database, users() | dict.fromkeys(listeners(count), TASKS))
        control = stack.enter_context(psycopg.connect(database, autocommit=True))
        limits = {"EVENTS_PER_WORKER": str(count + 1000), "EVENTS_PER_USER": str(count)}
        other = stack.enter_context(running(OURS, database, **limits))
        with on_core(0):
            server = stack.enter_context(running(OURS, database, **limits))
        results = {one: uvloop.run(_measure(one, server, other, control, rounds, seconds)) for one in scenes(count)}
    table(
        ["POSTs, with streams / without", "requests/s", "CPU per request", "events/s", "target", "met"],
        _rows(results, count),
    )
    return not any(round_.load.errors for pairs in results.values() for pair in pairs for round_ in pair[:2])


async def _measure(
    scene: Scene, server: Server, other: Server, control: psycopg.Connection[Any], rounds: int, seconds: int
) -> list[Pair]:
    control.execute("VACUUM ANALYZE")
    watched = other if scene.elsewhere else server
    pairs = []
    # The first pair is a warm-up.
    for number in range(rounds + 1):
        progress(f"POSTs beside streams {scene.name}, round {number} of {rounds}")
        async with streaming(watched.url, event_requests(scene.watching)) as streams:
            await asyncio.sleep(_SETTLE_SECONDS)
            beside = await asyncio.to_thread(one_round, _POST, server, control, number, seconds)
            events = sum(len(one.arrivals) for one in streams)
        await asyncio.sleep(_FORGET_SECONDS if scene.elsewhere else _SETTLE_SECONDS)
        alone = await asyncio.to_thread(one_round, _POST, server, control, number, seconds)
        pairs.append(Pair(beside, alone, events / beside.load.seconds))
    return pairs[1:]


def _rows(results: Mapping[Scene, Sequence[Pair]], count: int) -> Iterator[list[str]]:
    for scene, pairs in results.items():
        rates = [pair.beside.load.rate / pair.alone.load.rate for pair in pairs]
        cpus = [pair.beside.cpu / pair.alone.cpu for pair in pairs]
        yield [
            f"{count:,} streams {scene.name}",
            spread(rates, 2),
            spread(cpus, 2),
            f"{median(pair.events for pair in pairs):,.0f}",
            *_judged(median(rates), scene.target),
        ]


def _judged(rate: float, target: float | None) -> list[str]:
    if target is None:
        return ["-", "-"]
    return [f"{target:g}", "yes" if rate >= target else "**no**"]
