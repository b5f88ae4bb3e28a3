"""Several workers: each that dies is replaced, and none outlives its parent."""

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.client import User
from tests.server import Service, start
from tests.test_commands import has_ended

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through Linux's /proc")


def workers_of(service: Service) -> set[int]:
    """Return the processes that serve: children, but for the one that multiprocessing starts for itself."""
    parent = service.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def wait_for_others(service: Service, gone: set[int]) -> set[int]:
    """Wait until there are as many workers, none of which are gone, and return them."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        workers = workers_of(service)
        if len(workers) == len(gone) and not workers & gone:
            return workers
        time.sleep(0.05)
    raise TimeoutError


def test_a_worker_that_dies_is_replaced(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        workers = workers_of(service)
        assert len(workers) == 2
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_for_others(service, workers)
        with User(service.url, "replaced") as user:
            user.create()


def test_workers_end_when_their_parent_is_killed(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        service.process.kill()
        service.process.wait(10)
        assert has_ended(service.process.pid)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/health/live")


def test_a_hangup_replaces_the_workers_one_by_one_while_they_serve(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        workers = workers_of(service)
        service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while workers_of(service) & workers and time.monotonic() < deadline:
            assert httpx.get(f"{service.url}/health/live").status_code == 200
        assert len(wait_for_others(service, workers)) == 2
