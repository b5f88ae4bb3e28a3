"""The machine: its cores, and what a process uses of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Run on one of this process's cores for a while, with all that is started meanwhile; on a single core, nothing."""
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        os.sched_setaffinity(0, {sorted(cores)[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def processes(pid: int) -> list[int]:
    """Return a process and all that it has started, whoever of them started them."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(one for child in children for one in processes(child))]


def cpu_seconds(pid: int) -> float:
    """Return how long a process and all that it has started have been on a processor, for itself and in the kernel."""
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split() for one in processes(pid)]
    return sum(int(field) for line in fields for field in line[11:13]) / _TICKS
