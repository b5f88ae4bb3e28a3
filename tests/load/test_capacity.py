"""`python -m tests.load.capacity`: its results follow from its assumptions, and the README shows its output."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from tests.load.assumptions import Assumptions, read
from tests.load.capacity import Step, answers, citus, one_postgresql, read_replicas, small_start, steps
from tests.support.server import ROOT

DEFAULTS = Assumptions()
NAMES = [one.name for one in fields(Assumptions)]
CPU = [name for name in NAMES if name.endswith("_cpu") and name != "service_cpu"]


def output(*options: str) -> str:
    """Run the simulation as an operator does, and return what it prints."""
    command = [sys.executable, "-m", "tests.load.capacity", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def times(factor: float, *names: str) -> Assumptions:
    """Return the defaults with some of them multiplied."""
    return replace(DEFAULTS, **{name: factor * getattr(DEFAULTS, name) for name in names})


def results(of: Assumptions) -> list[tuple[object, ...]]:
    """Return all figures that the simulation computes for its steps."""
    return [(step.name, *step.limits.values(), step.milliseconds) for step in steps(of)]


def test_the_readme_shows_what_it_prints() -> None:
    assert output().strip() in (ROOT / "tests" / "load" / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_assumption_is_an_option_and_matters(name: str) -> None:
    changed = times(2, name)
    assert results(changed) != results(DEFAULTS)
    assert read([f"--{name.replace('_', '-')}={getattr(changed, name)}"]) == changed


def test_an_option_changes_what_it_prints() -> None:
    row = f"| {small_start(DEFAULTS).name} | "
    assert row + "500 |" in output("--task-bytes=1000")
    assert row + "250 |" in output("--task-bytes=2000")


@pytest.mark.parametrize("option", ["--tasks=0", "--peak=-1", "--latency=inf", "--busy=half"])
def test_an_assumption_that_is_not_a_number_above_0_is_rejected(option: str) -> None:
    with pytest.raises(SystemExit):
        read([option])


@pytest.mark.parametrize(
    ("factor", "names", "limit", "expected"),
    [
        (2, CPU, "CPU", 1 / 2),
        (2, ["requests"], "CPU", 1 / 2),
        (2, ["peak"], "CPU", 1 / 2),
        (2, ["busy"], "CPU", 2),
        (2, ["task_bytes"], "memory", 1 / 2),
        (2, ["tasks"], "disk", 1 / 2),
        (2, ["hot"], "memory", 1 / 2),
        (2, ["hot"], "disk", 1),
        (2, ["memory"], "memory", 2),
        (2, ["latency"], "CPU", 1),
        # Only the shares count, not their sum.
        (3, ["polls", "gets", "lists", "searches", "creates", "changes"], "CPU", 1),
    ],
)
def test_the_users_follow_from_the_assumptions(factor: float, names: list[str], limit: str, expected: float) -> None:
    before, after = (one_postgresql(of, 8).limits[limit] for of in (DEFAULTS, times(factor, *names)))
    assert after / before == pytest.approx(expected)


def test_eight_times_the_cores_carry_eight_times_the_users() -> None:
    assert one_postgresql(DEFAULTS, 64).users / one_postgresql(DEFAULTS, 8).users == pytest.approx(8)


def test_a_step_carries_what_its_tightest_limit_allows() -> None:
    step = Step("", {"CPU": 7.0, "memory": 3.0}, 1.0, "")
    assert (step.users, step.limit) == (3.0, "memory")


def test_replicas_that_answer_reads_relieve_only_the_cpu() -> None:
    alone, with_replicas = one_postgresql(DEFAULTS, DEFAULTS.large).limits, read_replicas(DEFAULTS).limits
    assert with_replicas["CPU, for writes alone"] > alone["CPU"]
    assert (with_replicas["memory"], with_replicas["disk"]) == (alone["memory"], alone["disk"])


def test_a_statement_on_citus_travels_twice() -> None:
    far = times(10, "latency")
    alone = one_postgresql(far, 8).milliseconds - one_postgresql(DEFAULTS, 8).milliseconds
    assert citus(far).milliseconds - citus(DEFAULTS).milliseconds == pytest.approx(2 * alone)


def test_more_workers_do_not_relieve_the_coordinator() -> None:
    few, many = citus(DEFAULTS).limits, citus(times(2, "workers")).limits
    assert many["the coordinator's CPU"] == few["the coordinator's CPU"]
    assert many["memory"] == pytest.approx(2 * few["memory"])


def test_a_step_that_carries_no_more_than_a_smaller_one_is_no_answer() -> None:
    assert answers(DEFAULTS)[3] == "none"
    assert answers(times(1000, "coordinator_read"))[4] == "none"
    assert answers(times(1e5, "neon_disk", "neon_cores", "space_cores"))[1:3] == ["none", "none"]
