"""Metrics: what Prometheus scrapes on a separate port, from one worker or several."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.events import streaming
from tests.support.jobs import wait_for_jobs
from tests.support.locked import locked_writes
from tests.support.metrics import Samples, eventually
from tests.support.postgres import new_database, wait_for_locks
from tests.support.server import environment, free_port, run, start


def workers_of(samples: Samples) -> set[int]:
    """Return the processes that have reported their memory: while a process starts, it reports 0."""
    return {int(name[1]) for name, value in samples.items() if name[0] == "process_resident_memory_bytes" and value}


def test_there_are_no_metrics_without_a_port(server: str) -> None:
    assert httpx.get(f"{server}/metrics").status_code == 404


@pytest.mark.parametrize("workers", ["1", "3"])
def test_requests_are_counted_and_timed_by_operation(database: str, tmp_path: Path, workers: str) -> None:
    port = str(free_port())
    settings = {"DATABASE_URL": database, "METRICS_PORT": port, "WEB_CONCURRENCY": workers}
    with start(tmp_path, **settings) as service:
        for number in range(10):
            # Each user has a separate connection, so that every worker gets some.
            with User(service.url, f"metrics-{workers}") as user:
                user.create(f"task {number}")
                user.get("/tasks")
            httpx.get(f"{service.url}/api/x/tasks", headers={"Authorization": "Bearer nonsense"})
            httpx.get(f"{service.url}/api/x/tasks")
            httpx.get(f"{service.url}/nothing/{number}")
        assert httpx.get(f"{service.url}/metrics").status_code == 404
        samples = eventually(port, lambda samples: len(workers_of(samples)) == int(workers))
    assert samples["todo_api_requests_total", "create_task", "201"] == 10
    assert samples["todo_api_requests_total", "list_tasks", "200"] == 10
    assert samples["todo_api_requests_total", "list_tasks", "401"] == 20
    assert samples["todo_api_requests_total", "none", "404"] == 11
    assert samples["todo_api_refused_tokens_total",] == 10
    assert samples["todo_api_request_duration_seconds_count", "create_task"] == 10
    assert samples["todo_api_request_duration_seconds_bucket", "+Inf", "create_task"] == 10
    assert 0 < samples["todo_api_request_duration_seconds_sum", "create_task"] < 10
    assert service.process.pid not in workers_of(samples) or workers == "1"
    for pid in workers_of(samples):
        assert 20e6 < samples["process_resident_memory_bytes", str(pid)] < 500e6


def test_the_pool_reports_connections_in_use_and_waiting_requests(postgres: str, tmp_path: Path) -> None:
    url, port = new_database(postgres), str(free_port())
    settings = {"DATABASE_URL": url, "METRICS_PORT": port, "DATABASE_POOL_MAX_SIZE": "2"}
    names = ("todo_api_pool_connections_in_use",), ("todo_api_pool_requests_waiting",)
    with start(tmp_path, **settings) as service, User(service.url, "ada") as ada:
        ada.create("kept")
        wait_for_jobs(url)
        with locked_writes(url, service.url, writes=3, connections=2):
            eventually(port, lambda samples: [samples[name] for name in names] == [2, 1])
        eventually(port, lambda samples: [samples[name] for name in names] == [0, 0])


def test_the_pools_of_all_workers_are_added_up(postgres: str, tmp_path: Path) -> None:
    url, port = new_database(postgres), str(free_port())
    settings = {"DATABASE_URL": url, "METRICS_PORT": port, "DATABASE_POOL_MAX_SIZE": "1", "WEB_CONCURRENCY": "2"}
    names = ("todo_api_pool_connections_in_use",), ("todo_api_pool_requests_waiting",)
    with start(tmp_path, **settings) as service, User(service.url, "ada") as ada, ThreadPoolExecutor(6) as threads:
        task = ada.create("kept")
        one, other = workers_of(eventually(port, lambda samples: len(workers_of(samples)) == 2))
        for stopped in (one, other):
            os.kill(stopped, signal.SIGSTOP)
            with User(service.url, "ada") as same:
                assert same.titles() == ["kept"]
            os.kill(stopped, signal.SIGCONT)
        wait_for_jobs(url)
        with psycopg.connect(url) as connection:
            connection.execute("SELECT FROM accounts FOR UPDATE")
            patches = []
            # Each worker gets three requests while the other one is stopped and cannot accept any.
            for locks, stopped in enumerate((one, other), start=1):
                os.kill(stopped, signal.SIGSTOP)
                patches += [threads.submit(ada.patch, task["id"], {"title": f"{locks} {title}"}) for title in "abc"]
                wait_for_locks(url, locks)
                os.kill(stopped, signal.SIGCONT)
            eventually(port, lambda samples: [samples[name] for name in names] == [2, 4])
        assert {patched.result().status_code for patched in patches} == {200}


def test_the_counters_of_a_worker_outlive_it_and_its_gauges_do_not(database: str, tmp_path: Path) -> None:
    port = str(free_port())
    settings = {"DATABASE_URL": database, "METRICS_PORT": port, "WEB_CONCURRENCY": "2"}
    with start(tmp_path, **settings) as service:
        for _ in range(10):
            httpx.get(f"{service.url}/health/live")
        before = workers_of(eventually(port, lambda samples: len(workers_of(samples)) == 2))
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        after = eventually(port, lambda samples: len(workers_of(samples)) == 2 and not workers_of(samples) & before)
        assert after["todo_api_requests_total", "get_liveness", "200"] == 10


def test_no_files_are_left_when_the_service_has_ended(database: str, tmp_path: Path) -> None:
    port = str(free_port())
    with start(tmp_path, DATABASE_URL=database, METRICS_PORT=port, TMPDIR=str(tmp_path)) as service:
        assert list(tmp_path.glob("todo-api-metrics-*"))
        assert service.stop() in (0, -signal.SIGTERM)
    assert not list(tmp_path.glob("todo-api-metrics-*"))


def test_a_port_that_is_already_in_use_is_reported(database: str, tmp_path: Path) -> None:
    port = environment()["PORT"]
    with start(tmp_path, DATABASE_URL=database, PORT=port):
        refused = run("serve", directory=tmp_path, settings={"DATABASE_URL": database, "METRICS_PORT": port})
    assert refused.returncode == 1
    assert re.fullmatch(
        rf"Error: Cannot listen on 127.0.0.1, port {port}: Address already in use. Set METRICS_PORT to another port.\n",
        refused.stderr,
    )


def test_streams_events_and_resets_are_counted(database: str, tmp_path: Path) -> None:
    port = str(free_port())
    with (
        start(tmp_path, DATABASE_URL=database, METRICS_PORT=port) as service,
        User(service.url, "metrics-streams") as user,
        streaming(user) as stream,
    ):
        stream.next()
        for _ in range(3):
            user.create()
            stream.next()
        for path in ("/changes", "/events"):
            assert user.get(path, params={"sync_token": "1.1.0"}).status_code == 410
        samples = eventually(port, lambda samples: samples["todo_api_streams_open",] == 1)
        stream.response.close()
        eventually(port, lambda samples: samples["todo_api_streams_open",] == 0)
    assert samples["todo_api_events_sent_total",] == 4
    assert samples["todo_api_sync_resets_total",] == 2
    assert samples["todo_api_backstop_catches_total",] == 0


def test_the_delay_of_announcements_is_measured(database: str, tmp_path: Path) -> None:
    port = str(free_port())
    with (
        start(tmp_path, DATABASE_URL=database) as writing,
        start(tmp_path, DATABASE_URL=database, METRICS_PORT=port) as listening,
        User(writing.url, "metrics-delay") as writer,
        User(listening.url, "metrics-delay") as listener,
        streaming(listener) as stream,
    ):
        stream.next()
        # The first one may be found by the look at all users that follows the beginning of the first watch.
        for _ in range(3):
            writer.create()
            stream.next()
        samples = eventually(port, lambda samples: samples["todo_api_announcement_delay_seconds_count",] >= 1)
    assert samples["todo_api_announcement_delay_seconds_sum",] < 2
