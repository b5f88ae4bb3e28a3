"""Workers that die, hang or are stopped: the parent neither waits for one nor lets one keep it."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.postgres import wait_for_locks
from tests.support.server import Service, has_ended, start
from tests.support.workers import PATIENCE, wait_for_others, wait_until_all_serve, workers_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through Linux's /proc")

KILLED = " hangs, and is killed."


def wait_for_a_new_one(service: Service, known: set[int]) -> set[int]:
    """Wait until two workers run, at least one of them not `known`, and return the process ids of all."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if len(workers := workers_of(service)) == 2 and workers - known:
            return workers
        time.sleep(0.02)
    raise TimeoutError


@contextmanager
def stopped(worker: int) -> Iterator[None]:
    """Stop a worker for as long as the context lasts, and give the parent time to find that it does not respond."""
    os.kill(worker, signal.SIGSTOP)
    time.sleep(2)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)


def test_a_worker_is_replaced_while_another_one_hangs(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        hanging, dying = sorted(workers_of(service))
        with stopped(hanging):
            os.kill(dying, signal.SIGKILL)
            # The parent has not waited for the hanging one, which it kills after 30 seconds.
            assert hanging in wait_for_a_new_one(service, {hanging, dying})
            with User(service.url, "replaced") as user:
                user.create()


def test_a_worker_that_dies_while_it_starts_is_replaced(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        known = workers_of(service)
        hanging = max(known)
        with stopped(hanging):
            for _ in range(3):
                for worker in workers_of(service) - {hanging}:
                    os.kill(worker, signal.SIGKILL)
                    known.add(worker)
                assert hanging in wait_for_a_new_one(service, known)


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        workers = workers_of(service)
        with stopped(min(workers)):
            assert min(workers) not in wait_for_a_new_one(service, workers)
        assert KILLED in service.log.read_text()


def test_the_service_stops_although_a_worker_is_stopped(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        with stopped(min(workers_of(service))):
            assert service.stop() == 0
        assert has_ended(service.process.pid)


def test_the_service_stops_while_it_replaces_its_workers(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        with stopped(min(workers_of(service))):
            service.process.send_signal(signal.SIGHUP)
            time.sleep(1)
            assert service.stop() == 0
        assert has_ended(service.process.pid)


def test_a_hangup_of_the_whole_process_group_replaces_the_workers(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        wait_until_all_serve(service, 2)
        workers = workers_of(service)
        with User(service.url, "waits") as user, psycopg.connect(database) as connection:
            user.create()
            connection.execute("SELECT FROM accounts WHERE user_id = 'waits' FOR UPDATE")
            with ThreadPoolExecutor() as threads:
                created = threads.submit(user.create)
                wait_for_locks(database, 1)
                os.killpg(service.process.pid, signal.SIGHUP)
                connection.rollback()
                created.result()
        # So many that they reach new workers from the moment on at which these exist.
        for _ in range(100):
            os.killpg(service.process.pid, signal.SIGHUP)
            assert httpx.get(f"{service.url}/health/live", timeout=30).status_code == 200
            time.sleep(0.02)
        wait_for_others(service, workers)
        # Neither a worker nor the process that multiprocessing starts for itself.
        assert "unexpectedly" not in service.log.read_text()


def processor_seconds(process: int) -> float:
    """Return how much processor time a process has used; 0 if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def test_a_worker_whose_parent_was_killed_is_idle_while_its_last_request_waits(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service, ThreadPoolExecutor() as threads:
        wait_until_all_serve(service, 2)
        with User(service.url, "last") as user, psycopg.connect(database) as connection:
            user.create()
            connection.execute("SELECT FROM accounts WHERE user_id = 'last' FOR UPDATE")
            created = threads.submit(user.create)
            wait_for_locks(database, 1)
            workers = workers_of(service)
            service.process.kill()
            # Stopping takes some time of its own.
            time.sleep(2)
            before = {worker: processor_seconds(worker) for worker in workers}
            time.sleep(1)
            used = [processor_seconds(worker) - seconds for worker, seconds in before.items()]
            connection.rollback()
            created.exception()
        assert max(used) < 0.5
        assert has_ended(service.process.pid)


@contextmanager
def kept_from_ending(worker: int) -> Iterator[None]:
    """Trace a worker, so that for as long as the context lasts even SIGKILL stops it only, as it exits."""
    seize, detach, stop_at_exit = 0x4206, 0x11, 0x40
    libc = ctypes.CDLL(None)
    if libc.ptrace(seize, worker, None, ctypes.c_void_p(stop_at_exit)):
        pytest.skip("this process may not trace others")
    try:
        yield
    finally:
        libc.ptrace(detach, worker, None, None)


def test_a_worker_that_cannot_end_yet_is_killed_and_logged_once(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        hanging = min(workers_of(service))
        with stopped(hanging), kept_from_ending(hanging):
            service.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + PATIENCE
            while KILLED not in service.log.read_text():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(1)
        assert service.process.wait(20) == 0
        assert service.log.read_text().count(KILLED) == 1
