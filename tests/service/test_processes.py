"""Several workers: a worker that dies is replaced, and none outlives its parent."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.postgres import new_database, wait_for_locks
from tests.support.server import has_ended, start
from tests.support.workers import PATIENCE, wait_for_others, wait_until_all_serve, workers_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through Linux's /proc")


def test_a_worker_that_dies_is_replaced(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        workers = workers_of(service)
        assert len(workers) == 2
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_for_others(service, workers)
        with User(service.url, "replaced") as user:
            user.create()


def test_requests_still_running_when_workers_stop_get_a_503_and_are_logged(tmp_path: Path, postgres: str) -> None:
    url = new_database(postgres)
    with (
        start(tmp_path, DATABASE_URL=url, WEB_CONCURRENCY="2") as service,
        ThreadPoolExecutor() as threads,
        ExitStack() as stack,
    ):
        users = [stack.enter_context(User(service.url, name)) for name in ("ada", "bob", "eve")]
        tasks = [(user, user.create()["id"]) for user in users]
        with psycopg.connect(url) as connection:
            connection.execute("SELECT FROM accounts FOR UPDATE")
            patches = [threads.submit(user.patch, task, {"title": "a"}) for user, task in tasks]
            wait_for_locks(url, 3)
            assert service.stop() in (0, -signal.SIGTERM)
            answers = [patch.result() for patch in patches]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert service.log.read_text().count("PATCH /api/{user_id}/tasks/{task_id} 503 ") == 3


def test_a_new_worker_has_the_settings_of_the_one_that_it_replaces(tmp_path: Path, database: str) -> None:
    (tmp_path / ".env").write_text("BODY_LIMIT=2048\n")
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        workers = workers_of(service)
        (tmp_path / ".env").write_text("BODY_LIMIT=none\nLOG_LEVEL=loud\n")
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_for_others(service, workers)
        with User(service.url, "replaced") as user:
            response = user.request("POST", "/tasks", json={"title": "t", "description": "d" * 3000})
        assert response.json()["detail"] == "The body is larger than 2048 bytes."


def test_workers_end_without_a_delay_when_their_parent_is_killed(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2", SHUTDOWN_DELAY="600") as service:
        wait_until_all_serve(service, 2)
        service.process.kill()
        service.process.wait(10)
        assert has_ended(service.process.pid)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/health/live")


def test_a_hangup_replaces_the_workers_one_by_one_while_they_serve(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2", SHUTDOWN_DELAY="600") as service:
        workers = workers_of(service)
        service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE
        # One connection for each request: a kept connection would end with its worker.
        with httpx.Client(headers={"Connection": "close"}) as client:
            while workers_of(service) & workers and time.monotonic() < deadline:
                # The service as a whole stays ready, so no worker may say that it is not.
                assert client.get(f"{service.url}/health/ready").status_code == 200
        assert len(wait_for_others(service, workers)) == 2
        # A stop would take as long as the delay.
        service.process.kill()
        assert has_ended(service.process.pid)
