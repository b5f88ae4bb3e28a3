"""The workers of a running service, found through Linux's /proc."""

import time
from contextlib import suppress
from pathlib import Path

from tests.support.server import Service

# Seconds: a busy machine may start workers slowly.
PATIENCE = 60


def workers_of(service: Service) -> set[int]:
    """Return the process ids of the workers, without the process that multiprocessing starts for itself."""
    parent = service.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in _command_line(child)}


def _command_line(process: str) -> bytes:
    """Return the command line of a process, or nothing if the process has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def wait_for_others(service: Service, gone: set[int]) -> set[int]:
    """Wait until as many workers as in `gone` run, all of them new, and return their process ids."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        workers = workers_of(service)
        if len(workers) == len(gone) and not workers & gone:
            return workers
        time.sleep(0.05)
    raise TimeoutError


def wait_until_all_serve(service: Service, workers: int) -> None:
    """Wait until all workers have started."""
    deadline = time.monotonic() + PATIENCE
    while service.log.read_text().count("Application startup complete.") < workers:
        assert time.monotonic() < deadline
        time.sleep(0.05)
