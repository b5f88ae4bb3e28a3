"""How long it takes to import the application, and from exec to the first answer."""

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
    """Measure, and write a table. The database has its tables, and Python its bytecode, as after the first start."""
    with on_core(-1), postgres() as database:
        starts = _tries("start", lambda: _first_answer(database))
        imports = _tries("import", _import)
    rows = [
        ["`todo-api serve`, from exec to the first answer", *_seconds(starts)],
        ["`import handlers.service.app`", *_seconds(imports)],
    ]
    table(["seconds, with the least and the most", "elapsed", "on a processor"], rows)


def _tries(name: str, measure: Callable[[], tuple[float, float]]) -> list[tuple[float, float]]:
    measured = []
    # The first one writes the bytecode.
    for number in range(_TRIES + 1):
        progress(f"{name} {number} of {_TRIES}")
        measured.append(measure())
    return measured[1:]


def _seconds(measured: list[tuple[float, float]]) -> list[str]:
    return [spread(values, 3) for values in zip(*measured, strict=True)]


def _first_answer(database: str) -> tuple[float, float]:
    """Return the seconds until `/health` is answered, and those of them on a processor."""
    started = time.monotonic()
    with on_core(0), running(OURS, database) as server:
        return time.monotonic() - started, server.cpu_seconds()


def _import() -> tuple[float, float]:
    words = [sys.executable, "-W", "ignore", "-c", "import handlers.service.app"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with on_core(0):
        subprocess.run(words, cwd=ROOT, env=environment(), check=True)
    elapsed = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
