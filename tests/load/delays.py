"""The time from a write's response to its event, on streams of another replica.

Writes begin at fixed times, whether or not the ones before have been answered. An event reports all writes up to its
revision; for each write and each stream of its user, the first such event counts.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from statistics import quantiles
from typing import NamedTuple

import orjson
import uvloop

from tests.load.data import load, postgres
from tests.load.idle import TASKS, event_requests, listeners
from tests.load.listeners import Channel, Stream, channels, streaming
from tests.load.machine import allow_descriptors, on_core
from tests.load.operations import creation
from tests.load.output import progress, table
from tests.load.servers import OURS, Server, running

PER_USER = 20
"""As many streams as one user may have by default."""
_WRITES_PER_SECOND = 200
_SECONDS = 15
_CHANNELS = 16
_SETTLE_SECONDS = 3
# After the last write. What the backstop finds is late, but not lost.
_LAST_SECONDS = 8
_P50_MILLISECONDS, _P99_MILLISECONDS = 50, 150


class Scene(NamedTuple):
    """Who has the streams, one user for each, and who writes."""

    name: str
    watching: Sequence[str]
    writing: Sequence[str]


class Writes(NamedTuple):
    """The time (perf_counter) of each response, by user and revision; `late` is how late the last write began, in s."""

    answered: Mapping[str, Mapping[int, float]]
    late: float


class Result(NamedTuple):
    """The delays in ms, how many events reported them, how many never came, and the service's CPU in % of a core.

    `missing` counts pairs of a write and a stream. `late` is how far the writes fell behind, in seconds.
    """

    delays: Sequence[float]
    events: int
    missing: int
    late: float
    watching: float
    writing: float


def scenes(count: int) -> list[Scene]:
    """Return the scenes that are measured, with so many streams each."""
    users = listeners(count)
    first = users[0]
    some = [first] * min(PER_USER, count)
    return [
        Scene("each of another user, who all write in turn", users, users),
        Scene(f"{len(some)} of them of one user, who alone writes", some + users[len(some) :], [first]),
        Scene("all of one user, who alone writes", [first] * count, [first]),
    ]


def main(count: int, seconds: int = _SECONDS) -> bool:
    """Measure all scenes, print a table, and return whether every write was reported on every stream of its user."""
    allow_descriptors(count + 1000)
    results: dict[str, Result] = {}
    with ExitStack() as stack:
        stack.enter_context(on_core(-1))
        database = stack.enter_context(postgres())
        load(database, dict.fromkeys(listeners(count), TASKS))
        limits = {"EVENTS_PER_WORKER": str(count), "EVENTS_PER_USER": str(count)}
        for scene in scenes(count):
            progress(f"{count:,} streams, {scene.name}")
            with ExitStack() as servers:
                with on_core(0):
                    watched = servers.enter_context(running(OURS, database, **limits))
                    written = servers.enter_context(running(OURS, database))
                results[scene.name] = uvloop.run(_measure(scene, watched, written, seconds))
    _write(results, count, seconds)
    return not any(one.missing for one in results.values())


async def _measure(scene: Scene, watched: Server, written: Server, seconds: int) -> Result:
    async with streaming(watched.url, event_requests(scene.watching)) as streams:
        await asyncio.sleep(_SETTLE_SECONDS)
        spent = watched.cpu_seconds(), written.cpu_seconds()
        writes = await send_writes(written.url, scene.writing, seconds)
        watching, writing = watched.cpu_seconds() - spent[0], written.cpu_seconds() - spent[1]
        await asyncio.sleep(_LAST_SECONDS)
    found = list(delays_of(zip(scene.watching, streams, strict=True), writes.answered))
    delays = sorted(one for one in found if one is not None)
    events = sum(len(one.arrivals) for one in streams)
    cpu = 100 * watching / seconds, 100 * writing / seconds
    return Result(delays, events, len(found) - len(delays), writes.late, *cpu)


async def send_writes(url: str, users: Sequence[str], seconds: int) -> Writes:
    """Create a task for each of the users in turn, for so many seconds."""
    answered: dict[str, dict[int, float]] = {user: {} for user in users}
    started = time.perf_counter()
    late = 0.0
    async with channels(url, _CHANNELS) as found, asyncio.TaskGroup() as writes:
        idle = asyncio.Queue[Channel]()
        for one in found:
            idle.put_nowait(one)

        async def create(channel: Channel, user: str) -> None:
            body = await channel.send(creation(user))
            now = time.perf_counter()
            answered[user][orjson.loads(body)["revision"]] = now
            idle.put_nowait(channel)

        for number in range(seconds * _WRITES_PER_SECOND):
            due = started + number / _WRITES_PER_SECOND
            await asyncio.sleep(due - time.perf_counter())
            channel = await idle.get()
            late = time.perf_counter() - due
            writes.create_task(create(channel, users[number % len(users)]))
    return Writes(answered, late)


def delays_of(
    streams: Iterable[tuple[str, Stream]], answered: Mapping[str, Mapping[int, float]]
) -> Iterator[float | None]:
    """Yield the delay in ms of each write on each stream of its user, or None if no event reported it."""
    for user, stream in streams:
        revisions = [revision for _, revision in stream.arrivals]
        for revision, at in answered.get(user, {}).items():
            index = bisect_left(revisions, revision)
            yield (stream.arrivals[index][0] - at) * 1000 if index < len(revisions) else None


def _write(results: Mapping[str, Result], count: int, seconds: int) -> None:
    rows = []
    for name, result in results.items():
        percentiles = quantiles(result.delays, n=100)
        p50, p99 = percentiles[49], percentiles[98]
        rows.append(
            [
                f"{count:,} streams, {name}",
                f"{p50:.1f} (below {_P50_MILLISECONDS})",
                f"{p99:.1f} (below {_P99_MILLISECONDS})",
                f"{max(result.delays):.1f}",
                f"{result.events / seconds:,.0f}",
                f"{result.watching:.0f}, {result.writing:.0f}",
                f"**{result.missing} MISSING**" if result.missing else "0",
                "yes" if p50 < _P50_MILLISECONDS and p99 < _P99_MILLISECONDS else "**no**",
            ]
        )
    head = [f"{_WRITES_PER_SECOND} writes/s on another replica", "p50 ms", "p99 ms", "slowest ms", "events/s"]
    table([*head, "% of a core: replica with the streams, with the writes", "missing", "met"], rows)
    if late := [f"{name} ({one.late:.1f} s)" for name, one in results.items() if one.late > 1]:
        progress(f"The writes fell behind: {', '.join(late)}")
