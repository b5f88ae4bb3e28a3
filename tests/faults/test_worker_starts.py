"""A parent that cannot start workers: those that run keep serving, and it starts others as soon as it can."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.client import User
from tests.support.server import Service, has_ended, start
from tests.support.workers import PATIENCE, wait_for_others, wait_until_all_serve, workers_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through Linux's /proc")


@contextmanager
def unable_to_start_workers(service: Service) -> Iterator[None]:
    """Allow the parent no more descriptors than it has open, for as long as the context lasts."""
    parent = service.process.pid
    _, hard = limits = resource.prlimit(parent, resource.RLIMIT_NOFILE)
    resource.prlimit(parent, resource.RLIMIT_NOFILE, (descriptors(service), hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(parent, resource.RLIMIT_NOFILE, limits)


def descriptors(service: Service) -> int:
    """Return how many descriptors the parent has open."""
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


def wait_for_failed_starts(service: Service, count: int) -> None:
    """Wait until the parent has logged so often that it cannot start a worker."""
    deadline = time.monotonic() + PATIENCE
    while service.log.read_text().count("Cannot start a worker: Too many open files.") < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_that_cannot_be_started_is_started_later(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        wait_until_all_serve(service, 2)
        workers, before = workers_of(service), descriptors(service)
        with unable_to_start_workers(service):
            os.kill(min(workers), signal.SIGKILL)
            wait_for_failed_starts(service, 3)
            with User(service.url, "served") as user:
                user.create()
        wait_until_all_serve(service, 3)
        assert len(workers_of(service) - workers) == 1
        assert descriptors(service) == before
        assert service.stop() == 0
        assert has_ended(service.process.pid)


def test_workers_stay_until_others_can_be_started(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        wait_until_all_serve(service, 2)
        workers = workers_of(service)
        with unable_to_start_workers(service):
            service.process.send_signal(signal.SIGHUP)
            wait_for_failed_starts(service, 3)
            assert workers_of(service) == workers
        wait_for_others(service, workers)


def test_the_service_stops_while_it_cannot_start_a_worker(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        wait_until_all_serve(service, 2)
        with unable_to_start_workers(service):
            os.kill(min(workers_of(service)), signal.SIGKILL)
            wait_for_failed_starts(service, 1)
            assert service.stop() == 0
        assert has_ended(service.process.pid)


def test_no_worker_outlives_a_parent_that_fails(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        wait_until_all_serve(service, 2)
        # poll() fails if it is to wait for more descriptors than a process may open.
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (1, 1))
        assert service.process.wait(20) == 1
        assert has_ended(service.process.pid)
