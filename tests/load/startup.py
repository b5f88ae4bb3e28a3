"""The time to import the application, and the time from exec to the first response."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable

from tests.load.data import postgres
from tests.load.machine import on_core
from tests.load.output import progress, spread, table
from tests.load.servers import OURS, running
from tests.support.server import ROOT, environment

_TRIES = 7


def main() -> None:
    """Measure, and print a table. As after a first start, the database is migrated and the bytecode compiled."""
    with on_core(-1), postgres() as database:
        starts = _repeat("start", lambda: _first_response(database))
        imports = _repeat("import", _import)
    rows = [
        ["`todo-api serve`, from exec to the first response", *_seconds(starts)],
        ["`import handlers.service.app`", *_seconds(imports)],
    ]
    table(["seconds: median (least to greatest)", "elapsed", "CPU time"], rows)


def _repeat(name: str, measure: Callable[[], tuple[float, float]]) -> list[tuple[float, float]]:
    measured = []
    # The first run compiles the bytecode, and does not count.
    for number in range(_TRIES + 1):
        progress(f"{name} {number} of {_TRIES}")
        measured.append(measure())
    return measured[1:]


def _seconds(measured: list[tuple[float, float]]) -> list[str]:
    return [spread(values, 3) for values in zip(*measured, strict=True)]


def _first_response(database: str) -> tuple[float, float]:
    """Return the seconds until `/health` responds, and the CPU seconds spent by then."""
    started = time.monotonic()
    with on_core(0), running(OURS, database) as server:
        return time.monotonic() - started, server.cpu_seconds()


def _import() -> tuple[float, float]:
    command = [sys.executable, "-W", "ignore", "-c", "import handlers.service.app"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with on_core(0):
        subprocess.run(command, cwd=ROOT, env=environment(), check=True)
    elapsed = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
