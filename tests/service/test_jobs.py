"""Jobs: each runs once a day in one process of all, even if processes die, and never on a database that nobody uses."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.copies import change, copy_project
from tests.support.pgbouncer import needs_pgbouncer, run_pgbouncer
from tests.support.postgres import new_database
from tests.support.server import Service, start

# A job that writes its steps into a file.
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


async def run(database):
    note("begin")
    try:
        await asyncio.sleep(0.05)
        if Path("hold").exists():
            note("hold")
        while Path("hold").exists():
            yield 1
            await asyncio.sleep(0.01)
        yield 1
        note("end")
    except GeneratorExit:
        note("closed")


def jobs_of(**_):
    return (Job("noted", run),)
"""
FAILS = """
async def run(database):
    note("begin")
    attempt = Path("journal").read_text().count("begin")
    if attempt == 1:
        raise RuntimeError("a first failure")
    if attempt == 2:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
    yield 1
    note("end")
"""
SUPPRESSES_CANCELLATION = """
async def run(database):
    note("begin")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        note("end")
    yield 1
"""
CANCELLED = """
async def run(database):
    note("begin")
    try:
        await asyncio.sleep(60)
        yield 1
    except asyncio.CancelledError:
        await asyncio.sleep(0.2)
        logging.getLogger(__name__).info("the job has left")
        raise
"""
LEASE, DAY = "_LEASE = timedelta(seconds=60)", "_DAY = timedelta(days=1)"


@dataclass(frozen=True)
class Step:
    """A line of the journal: `begin`, `hold`, `closed` or `end`, the process, and when in seconds."""

    name: str
    process: int
    at: float


class Copy:
    """A copy of the project with the job, and a separate database. Users use all of its services all the time."""

    def __init__(self, directory: Path, database: str, more: str = "", day: str = "days=1") -> None:
        copy_project(directory)
        (directory / "handlers" / "jobs" / "__init__.py").write_text(NOTED + more)
        change(directory / "handlers" / "jobs" / "runner.py", LEASE, "_LEASE = timedelta(seconds=1)")
        change(directory / "handlers" / "jobs" / "runner.py", DAY, f"_DAY = timedelta({day})")
        self.directory = directory
        self.services: list[Service] = []
        self._settings = {"PYTHONPATH": str(directory), "DATABASE_URL": database}
        self._journal = directory / "journal"
        self._journal.touch()
        self._hold = directory / "hold"

    @contextmanager
    def start(self, **settings: str) -> Iterator[Service]:
        """Run a service of this copy."""
        with start(self.directory, **self._settings, **settings) as service:
            self.services.append(service)
            yield service

    def use(self) -> None:
        """Send a request of a user to each service."""
        for service in self.services:
            with suppress(httpx.TransportError):
                authorization = {"Authorization": f"Bearer {mint('ada')}"}
                httpx.get(f"{service.url}/api/ada/tags", headers=authorization, timeout=1)

    def steps(self, after: int = 0) -> list[Step]:
        """Return the steps of all processes so far, without the first `after` of them."""
        lines = [line.split() for line in self._journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [Step(name, int(process), float(at)) for name, process, at in lines][after:]

    def wait(self, condition: Callable[[list[Step]], bool], after: int = 0) -> list[Step]:
        """Wait until the steps fulfil a condition, and return them."""
        deadline = time.monotonic() + 30
        while not condition(steps := self.steps(after)):
            assert time.monotonic() < deadline, steps[-5:]
            self.use()
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


@pytest.fixture(
    scope="module",
    params=[
        "direct",
        pytest.param("pooled", marks=needs_pgbouncer),
    ],
)
def fleet(request: pytest.FixtureRequest, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Run two instances with two workers each on one database, the second time behind PgBouncer. A day lasts 0.1 s."""
    with ExitStack() as stack:
        database = new_database(postgres)
        if request.param == "pooled":
            database = stack.enter_context(run_pgbouncer(database))
        copy = Copy(tmp_path_factory.mktemp("fleet"), database, day="seconds=0.1")
        for _ in range(2):
            stack.enter_context(copy.start(WEB_CONCURRENCY="2", DATABASE_PREPARED_STATEMENTS="false"))
        yield copy


def ends(steps: list[Step]) -> int:
    """Return how many runs have ended."""
    return sum(step.name == "end" for step in steps)


def test_processes_take_turns_and_never_run_a_job_at_the_same_time(fleet: Copy) -> None:
    steps = fleet.wait(lambda steps: ends(steps) >= 20 and len({step.process for step in steps}) >= 3)
    for before, after in pairwise(steps):
        assert (before.name, after.name) in {("begin", "end"), ("end", "begin")}
        assert before.name == "end" or before.process == after.process


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


def test_when_a_process_is_lost_another_one_takes_over_and_it_does_not_go_on_afterwards(fleet: Copy) -> None:
    fleet.hold()
    lost = fleet.holder()
    so_far = len(fleet.steps())
    os.kill(lost, signal.SIGSTOP)
    try:
        (begin, *_) = fleet.wait(bool, so_far)
    finally:
        os.kill(lost, signal.SIGCONT)
    assert begin.process != lost
    steps = fleet.wait(lambda steps: any(step.process == lost for step in steps), so_far)
    assert next(step.name for step in steps if step.process == lost) == "closed"
    fleet.release()
    fleet.wait(lambda steps: ends(steps) >= 5, so_far)


def test_a_process_takes_over_long_before_its_own_next_turn(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres))
    copy.hold()
    # One worker each: with several, the parent would replace the killed one.
    with copy.start() as first, copy.start() as second:
        services = {service.process.pid: service for service in (first, second)}
        services.pop(copy.holder()).process.kill()
        copy.release()
        steps = copy.wait(lambda steps: ends(steps) == 1)
        assert {steps[-1].process} == services.keys()


def test_a_job_runs_once_a_day_whatever_starts_and_stops(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres))
    for _ in range(2):
        with copy.start(), copy.start():
            copy.wait(lambda steps: ends(steps) >= 1)
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                copy.use()
    assert [step.name for step in copy.steps()] == ["begin", "end"]


def test_the_next_day_a_job_waits_for_a_request(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), day="seconds=1.5")
    with copy.start():
        copy.wait(lambda steps: ends(steps) == 1)
        time.sleep(2.5)
        assert ends(copy.steps()) == 1
        copy.wait(lambda steps: ends(steps) == 2)


def test_a_clock_that_was_a_year_ahead_stops_no_job(postgres: str, tmp_path: Path) -> None:
    database = new_database(postgres)
    copy = Copy(tmp_path, database)
    with copy.start():
        copy.wait(lambda steps: ends(steps) == 1)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE leases SET expires_at = expires_at + interval '1 year'")
    with copy.start():
        copy.wait(lambda steps: ends(steps) == 2)


def test_a_failure_is_logged_and_retried(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), FAILS)
    with copy.start() as service:
        first, second, third, _ = copy.wait(lambda steps: ends(steps) == 1)
        log = service.log.read_text()
    assert 1 <= second.at - first.at < 20
    assert 1 <= third.at - second.at < 20
    assert "WARNING:  job noted failed and will be retried in 1 s: RuntimeError" in log
    assert "WARNING:  job noted failed and will be retried in 1 s: CancelledError" in log


def test_a_job_that_suppresses_its_cancellation_is_not_started_again(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), SUPPRESSES_CANCELLATION)
    with copy.start() as service:
        copy.wait(lambda steps: len(steps) == 1)
        started = time.monotonic()
        assert service.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 5
    assert [step.name for step in copy.steps()] == ["begin", "end"]


def test_a_service_that_stops_cancels_its_job(postgres: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path, new_database(postgres), CANCELLED)
    with copy.start() as service:
        copy.wait(lambda steps: len(steps) == 1)
        started = time.monotonic()
        assert service.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 5
    log = service.log.read_text()
    assert log.rindex("the job has left") < log.rindex("Application shutdown complete")
    assert "WARNING" not in log
    assert ends(copy.steps()) == 0


def last_queries(database: str) -> list[tuple[object, ...]]:
    """Return when each connection to a database but this one began its last statement."""
    query = (
        "SELECT pid, query_start, xact_start, state FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid"
    )
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchall()


def leases(database: str) -> list[str]:
    """Return the names of the jobs that have run."""
    with psycopg.connect(database) as connection:
        return [name for (name,) in connection.execute("SELECT job FROM leases ORDER BY job")]


def test_a_service_without_requests_sends_no_queries_and_runs_no_job(postgres: str, tmp_path: Path) -> None:
    database = new_database(postgres)
    with start(tmp_path, DATABASE_URL=database) as service, User(service.url, "ada") as ada:
        for jobs in ([], ["purge-keys", "purge-trash"]):
            # Let the queries of startup, or of the jobs, finish.
            time.sleep(1)
            before = last_queries(database)
            time.sleep(1.5)
            assert before
            assert last_queries(database) == before
            assert leases(database) == jobs
            assert ada.request("GET", "/tags", headers={"Authorization": "Bearer x"}).status_code == 401
            assert last_queries(database) == before
            ada.titles()
