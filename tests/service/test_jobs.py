"""Jobs: each runs in one process at a time, even if processes die; failures are retried, and shutdown does not wait."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from storage.driver.connection import ExclusiveConnection
from storage.driver.locks import try_lock
from tests.support.copies import change, copy_project
from tests.support.pgbouncer import PGBOUNCER, run_pgbouncer
from tests.support.postgres import new_database
from tests.support.server import start

# Steps go into a file at once. Halves go into the database, which shows both when they are committed.
NOTED = """
import asyncio
import logging
import os
import time
from pathlib import Path

from handlers.jobs.runner import Job


def note(step):
    with open("journal", "a") as journal:
        journal.write(f"{step} {os.getpid()} {time.monotonic()}\\n")


async def run(connection):
    note("begin")
    try:
        await connection.execute("INSERT INTO halves VALUES (1)")
        await work(connection)
        await connection.execute("INSERT INTO halves VALUES (2)")
        note("end")
    except asyncio.CancelledError:
        await asyncio.sleep(0.2)
        logging.getLogger(__name__).info("the job has left")
        raise


async def work(connection):
    await asyncio.sleep(0.05)
    if Path("hold").exists():
        note("hold")
    while Path("hold").exists():
        await connection.execute("SELECT")
        await asyncio.sleep(0.01)


JOB = Job("noted", 0.1, run)
"""
DAILY = """
JOB = Job("noted", 86400, run)
"""
FAILS = """
async def work(connection):
    attempt = Path("journal").read_text().count("begin")
    if attempt == 1:
        raise RuntimeError("a first failure")
    if attempt == 2:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    if attempt == 3:
        await connection.execute("SELECT pg_sleep(60)")


JOB = Job("noted", 60, run)
"""

WAITS_FOR_SOMETHING_CANCELLED = """
async def work(connection):
    if Path("journal").read_text().count("begin") == 1:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future


JOB = Job("noted", 60, run)
"""
SUPPRESSES_CANCELLATION = """
async def run(connection):
    note("begin")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        note("end")


JOB = Job("noted", 0.1, run)
"""


@dataclass(frozen=True)
class Step:
    """A line of the journal: `begin`, `hold` or `end`, the process, and when in seconds."""

    name: str
    process: int
    at: float


class Copy:
    """A copy of the project with the job, and a separate database."""

    def __init__(self, directory: Path, database: str, more: str = "") -> None:
        copy_project(directory)
        jobs = directory / "handlers" / "jobs"
        (jobs / "noted.py").write_text(NOTED + more)
        (jobs / "__init__.py").write_text("from handlers.jobs import noted\n\nJOBS = (noted.JOB,)\n")
        self.directory = directory
        self.database = database
        self._journal = directory / "journal"
        self._journal.touch()
        self._hold = directory / "hold"
        self._execute("CREATE TABLE halves (half integer)")

    def settings(self, **more: str) -> dict[str, str]:
        """Return the settings of a service that runs this copy."""
        return {"PYTHONPATH": str(self.directory), "DATABASE_URL": self.database, **more}

    def steps(self, after: int = 0) -> list[Step]:
        """Return the steps of all processes so far, without the first `after` of them."""
        lines = [line.split() for line in self._journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [Step(name, int(process), float(at)) for name, process, at in lines][after:]

    def wait(self, condition: Callable[[list[Step]], bool], after: int = 0) -> list[Step]:
        """Wait until the steps fulfil a condition, and return them."""
        deadline = time.monotonic() + 30
        while not condition(steps := self.steps(after)):
            assert time.monotonic() < deadline, steps[-5:]
            time.sleep(0.02)
        return steps

    def hold(self) -> None:
        """Make the next run last until `release` is called."""
        self._hold.touch()

    def holder(self) -> int:
        """Return the process whose run is being held."""
        return self.wait(lambda steps: bool(steps) and steps[-1].name == "hold")[-1].process

    def release(self) -> None:
        """Let the held run, and later ones, end."""
        self._hold.unlink()

    def halves(self) -> tuple[int, int]:
        """Return how many first halves are in the database, and how many second ones."""
        row = self._execute("SELECT count(*) FILTER (WHERE half = 1), count(*) FILTER (WHERE half = 2) FROM halves")
        return int(row[0]), int(row[1])

    def _execute(self, statement: str) -> tuple[int, ...]:
        with psycopg.connect(self.database, autocommit=True, prepare_threshold=None) as connection:
            cursor = connection.execute(statement.encode())
            return (cursor.fetchone() or ()) if cursor.description else ()


@pytest.fixture(
    scope="module",
    params=[
        "direct",
        pytest.param("pooled", marks=pytest.mark.skipif(PGBOUNCER is None, reason="there is no pgbouncer")),
    ],
)
def fleet(request: pytest.FixtureRequest, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Run two instances with two workers each on one database, the second time behind PgBouncer."""
    with ExitStack() as stack:
        database = new_database(postgres)
        if request.param == "pooled":
            database = stack.enter_context(run_pgbouncer(database))
        copy = Copy(tmp_path_factory.mktemp("fleet"), database)
        change(copy.directory / "storage" / "driver" / "locks.py", "20s", "1500ms")
        settings = copy.settings(WEB_CONCURRENCY="2", DATABASE_PREPARED_STATEMENTS="false")
        for _ in range(2):
            stack.enter_context(start(copy.directory, **settings))
        yield copy


def ends(steps: list[Step]) -> int:
    """Return how many runs have ended."""
    return sum(step.name == "end" for step in steps)


def test_processes_take_turns_and_never_run_a_job_at_the_same_time(fleet: Copy) -> None:
    steps = fleet.wait(lambda steps: ends(steps) >= 20 and len({step.process for step in steps}) >= 3)
    for before, after in pairwise(steps):
        assert (before.name, after.name) in {("begin", "end"), ("end", "begin")}
        assert before.name == "end" or before.process == after.process
    # The last run may still be committing.
    assert min(fleet.halves()) >= 19


def test_another_instance_takes_over_when_one_is_killed(fleet: Copy) -> None:
    fleet.hold()
    killed = os.getpgid(fleet.holder())
    so_far = len(fleet.steps())
    os.killpg(killed, signal.SIGKILL)
    (begin, *_) = fleet.wait(bool, so_far)
    fleet.release()
    assert begin.name == "begin"
    assert os.getpgid(begin.process) != killed
    fleet.wait(lambda steps: ends(steps) >= 5, so_far)
    first, second = fleet.halves()
    assert first == second


def test_when_a_process_is_lost_its_work_is_rolled_back_and_another_one_takes_over(fleet: Copy) -> None:
    fleet.hold()
    lost = fleet.holder()
    so_far = len(fleet.steps())
    os.kill(lost, signal.SIGSTOP)
    try:
        (begin, *_) = fleet.wait(bool, so_far)
        fleet.release()
        fleet.wait(lambda steps: ends(steps) >= 5, so_far)
    finally:
        os.kill(lost, signal.SIGCONT)
    assert begin.process != lost
    steps = fleet.wait(lambda steps: any(step.process == lost for step in steps), so_far)
    assert next(step.name for step in steps if step.process == lost) == "begin"
    first, second = fleet.halves()
    assert first == second


def test_a_process_takes_over_long_before_its_own_next_turn(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), DAILY)
    change(tmp_path / "handlers" / "jobs" / "runner.py", "_TAKE_OVER_SECONDS = 15.0", "_TAKE_OVER_SECONDS = 0.2")
    copy.hold()
    # One worker each: with several, the parent would replace the killed one.
    with start(tmp_path, **copy.settings()) as first, start(tmp_path, **copy.settings()) as second:
        services = {service.process.pid: service for service in (first, second)}
        services.pop(copy.holder()).process.kill()
        copy.release()
        steps = copy.wait(lambda steps: ends(steps) == 1)
        assert {steps[-1].process} == services.keys()


def test_a_failure_is_logged_and_retried_after_a_pause_that_doubles(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), FAILS)
    change(tmp_path / "storage" / "driver" / "locks.py", "20s", "1500ms")
    change(tmp_path / "handlers" / "jobs" / "runner.py", "_FIRST_RETRY_SECONDS = 1.0", "_FIRST_RETRY_SECONDS = 0.2")
    with start(tmp_path, **copy.settings()) as service:
        first, second, third, fourth, _ = copy.wait(lambda steps: ends(steps) == 1)
        log = service.log.read_text()
    assert 0.2 <= second.at - first.at < 20
    assert 0.4 <= third.at - second.at < 20
    assert 0.8 <= fourth.at - third.at < 20
    assert copy.halves() == (1, 1)
    assert "WARNING:  job noted failed and will be retried in 0.2 s: RuntimeError" in log
    assert "WARNING:  job noted failed and will be retried in 0.4 s: terminating connection" in log
    assert "WARNING:  job noted failed and will be retried in 0.8 s: canceling statement due to statement" in log
    assert log.count("Traceback") == 1


def test_a_job_that_waited_for_something_cancelled_has_failed_and_is_retried(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), WAITS_FOR_SOMETHING_CANCELLED)
    with start(tmp_path, **copy.settings()) as service:
        copy.wait(lambda steps: ends(steps) == 1)
        assert "WARNING:  job noted failed and will be retried in 1 s: CancelledError" in service.log.read_text()
    assert copy.halves() == (1, 1)


def test_a_job_that_suppresses_its_cancellation_is_not_started_again(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), SUPPRESSES_CANCELLATION)
    with start(tmp_path, **copy.settings()) as service:
        copy.wait(lambda steps: len(steps) == 1)
        started = time.monotonic()
        assert service.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 5
    assert [step.name for step in copy.steps()] == ["begin", "end"]


def test_a_service_that_stops_cancels_its_job_and_rolls_back_its_writes(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres))
    with start(tmp_path, **copy.settings()) as service:
        copy.hold()
        copy.holder()
        before = copy.halves()
        started = time.monotonic()
        assert service.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 5
    log = service.log.read_text()
    assert log.rindex("the job has left") < log.rindex("Application shutdown complete")
    assert "WARNING" not in log
    assert copy.steps()[-1].name == "hold"
    assert copy.halves() == before


def test_a_name_has_the_same_key_in_every_release_and_never_that_of_the_migrations(postgres: str) -> None:
    async def keys() -> list[tuple[int, int, int]]:
        async with await ExclusiveConnection.connect(postgres, autocommit=True) as connection, connection.transaction():
            assert await try_lock(connection, "purge")
            cursor = await connection.execute(
                "SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            )
            return await cursor.fetchall()

    # An objsubid of 2 means that the lock has two keys (PostgreSQL's documentation, "pg_locks").
    assert asyncio.run(keys()) == [(7_261_042, 2734724085, 2)]


def last_queries(database: str) -> list[tuple[object, ...]]:
    """Return when each connection to a database but this one began its last statement."""
    query = (
        "SELECT pid, query_start, xact_start, state FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid"
    )
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchall()


def test_an_idle_service_sends_no_queries(postgres: str, tmp_path: Path) -> None:
    database = new_database(postgres)
    with start(tmp_path, DATABASE_URL=database):
        # Let the queries of startup finish.
        time.sleep(1)
        before = last_queries(database)
        time.sleep(1.5)
        assert before
        assert last_queries(database) == before
