"""An instance that was killed leaves files, which the next start removes."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.server import free_port, has_ended, start
from tests.support.workers import wait_until_all_serve, workers_of


def metrics(directory: Path) -> dict[str, str]:
    """Return settings for an instance that keeps its metrics in `directory`."""
    return {"TMPDIR": str(directory), "METRICS_PORT": str(free_port())}


def directories(directory: Path) -> set[Path]:
    return set(directory.glob("todo-api-metrics-*"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_start_removes_the_files_of_a_killed_instance_only(database: str, tmp_path: Path, workers: str) -> None:
    settings = {"DATABASE_URL": database, "WEB_CONCURRENCY": workers}
    with start(tmp_path, **settings, **metrics(tmp_path)) as killed:
        used = directories(tmp_path)
        with start(tmp_path, **settings, **metrics(tmp_path)):
            both = directories(tmp_path)
            killed.process.kill()
            assert has_ended(killed.process.pid)
            assert directories(tmp_path) == both
            with start(tmp_path, **settings, **metrics(tmp_path)):
                assert len(both) == 2
                assert len(directories(tmp_path)) == 2
                assert directories(tmp_path) & both == both - used


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through Linux's /proc")
def test_a_worker_that_outlives_its_parent_keeps_its_files(database: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database, "WEB_CONCURRENCY": "2"}
    with start(tmp_path, **settings, **metrics(tmp_path)) as killed:
        wait_until_all_serve(killed, 2)
        (used,) = directories(tmp_path)
        worker = min(workers_of(killed))
        os.kill(worker, signal.SIGSTOP)
        killed.process.kill()
        with start(tmp_path, **settings, **metrics(tmp_path)):
            assert used.exists()
        os.kill(worker, signal.SIGCONT)
        assert has_ended(killed.process.pid)
