"""How many users each kind of database carries, and when the next one is the answer: computed, not measured.

`python -m tests.load.capacity` prints it as Markdown. Each assumption is an option; `--help` lists them.
"""

from collections.abc import Iterator
from dataclasses import fields
from math import ceil, floor, log10
from typing import NamedTuple

from tests.load.assumptions import Assumptions, read
from tests.load.output import table

_DAY_SECONDS = 86_400


class User(NamedTuple):
    """An average user: requests in a second and the µs of PostgreSQL's CPU for them, at the peak; and bytes."""

    requests: float
    reads: float
    creates: float
    changes: float
    bytes: float

    @property
    def cpu(self) -> float:
        """µs of CPU in a second, for reads and writes."""
        return self.reads + self.creates + self.changes


class Step(NamedTuple):
    """A kind of database: how many users each of its limits allows, and the ms of a response.

    `change` says what the step changes for the operator.
    """

    name: str
    limits: dict[str, float]
    milliseconds: float
    change: str

    @property
    def users(self) -> float:
        """How many users it carries: those that all limits allow."""
        return min(self.limits.values())

    @property
    def limit(self) -> str:
        """The limit that is reached first."""
        return min(self.limits, key=self.limits.__getitem__)


def user(of: Assumptions) -> User:
    """Return what an average user asks for at the peak."""
    requests = of.requests * of.peak / _DAY_SECONDS
    each = requests / (of.polls + of.gets + of.lists + of.searches + of.creates + of.changes)
    reads = of.polls * of.poll_cpu + of.gets * of.get_cpu + of.lists * of.list_cpu + of.searches * of.search_cpu
    creates = of.creates * (of.create_cpu + of.vacuum_cpu)
    changes = of.changes * (of.change_cpu + of.vacuum_cpu)
    return User(requests, each * reads, each * creates, each * changes, of.tasks * of.task_bytes)


def small_start(of: Assumptions) -> Step:
    """Return what a Space on free hardware carries with Neon's free plan."""
    one = user(of)
    limits = {
        "the Space's CPU": _busy(of, of.space_cores) / (one.requests * of.service_cpu),
        "Neon's CPU": _busy(of, of.neon_cores) / one.cpu,
        "Neon's storage": of.neon_disk * 1e9 / one.bytes,
    }
    change = "nothing to run: a push deploys, Neon keeps the backups"
    return Step("Spaces + Neon, both free", limits, _response(of), change)


def one_postgresql(of: Assumptions, cores: float) -> Step:
    """Return what one PostgreSQL with so many cores carries."""
    change = "`DATABASE_URL`; backups, and a standby that takes over; as many replicas of the service as its cores need"
    limits = {"CPU": _busy(of, cores) / user(of).cpu, **_room(of, cores)}
    return Step(f"one PostgreSQL, {cores:g} cores", limits, _response(of), change)


def read_replicas(of: Assumptions) -> Step:
    """Return what the largest PostgreSQL would carry if any number of replicas answered all reads."""
    one = user(of)
    limits = {"CPU, for writes alone": _busy(of, of.large) / (one.creates + one.changes), **_room(of, of.large)}
    change = "for failover only: the service reads from the primary alone, because a list must not go back in time"
    return Step("the same, if replicas answered reads", limits, _response(of), change)


def citus(of: Assumptions) -> Step:
    """Return what a Citus carries, of a coordinator that routes every statement and of workers that have the rows."""
    one = user(of)
    routing = one.reads * of.coordinator_read
    routing += one.creates * of.coordinator_create + one.changes * of.coordinator_change
    working = one.reads * of.worker_read + one.creates * of.worker_create + one.changes * of.worker_change
    cores = of.workers * of.large
    limits = {
        "the coordinator's CPU": _busy(of, of.large) / routing,
        "the workers' CPU": _busy(of, cores) / working,
        **_room(of, cores),
    }
    milliseconds = 2 * of.latency + (of.service_cpu + (routing + working) / one.requests) / 1000
    change = "`todo-api distribute` once, a standby for each node, `DATABASE_STATEMENT_TIMEOUT=2` and a larger pool"
    return Step(f"Citus, {of.workers:g} workers of {of.large:g} cores", limits, milliseconds, change)


def steps(of: Assumptions) -> list[Step]:
    """Return all steps, from the smallest to the largest."""
    return [small_start(of), one_postgresql(of, of.small), one_postgresql(of, of.large), read_replicas(of), citus(of)]


def _busy(of: Assumptions, cores: float) -> float:
    """Return the µs of CPU that so many cores offer in a second."""
    return cores * of.busy / 100 * 1e6


def _room(of: Assumptions, cores: float) -> dict[str, float]:
    """Return the users for whose data machines with so many cores have memory and disk."""
    size = user(of).bytes
    memory = cores * of.memory * 1e9 * of.cache / 100
    return {"memory": memory / (size * of.hot / 100), "disk": cores * of.disk * 1e9 / size}


def _response(of: Assumptions) -> float:
    """Return the ms that an average request takes: a worker, the way to PostgreSQL and back, and a statement."""
    one = user(of)
    return of.latency + (of.service_cpu + one.cpu / one.requests) / 1000


def rounded(number: float) -> str:
    """Return a number with two digits that count, for example 12 million."""
    digits = 1 - floor(log10(number))
    value = round(number, digits)
    return f"{value / 1e6:,.{max(digits + 6, 0)}f} million" if value >= 1e6 else f"{value:,.{max(digits, 0)}f}"


def answers(of: Assumptions) -> list[str]:
    """Return for how many users each step is the answer: for those that no smaller step carries."""
    words, carried = [], 0.0
    for step in steps(of):
        lower = f"{rounded(carried)} to " if carried else "up to "
        words.append(lower + rounded(step.users) if step.users > carried else "none")
        carried = max(carried, step.users)
    return words


def _rows(of: Assumptions) -> Iterator[list[str]]:
    requests = user(of).requests
    for step in steps(of):
        rate = step.users * requests
        most = min(users for name, users in step.limits.items() if "CPU" in name) * requests
        others = ", ".join(f"{name} {rounded(users)}" for name, users in step.limits.items() if name != step.limit)
        cores = ceil(rate * of.service_cpu / _busy(of, 1))
        at_once = ceil(rate * step.milliseconds / 1000)
        figures = [rounded(rate), rounded(most), f"{step.milliseconds:.1f}", f"{at_once:,}", f"{cores:,}"]
        yield [step.name, rounded(step.users), step.limit, others, *figures]


def main() -> None:
    """Print the assumptions, what each step carries, and what it changes for the operator."""
    of = read()
    options = [
        [f"`--{one.name.replace('_', '-')}`", f"{getattr(of, one.name):g}", one.metadata["help"]] for one in fields(of)
    ]
    table(["assumption", "value", ""], options)
    limits = ["", "users", "limited by", "other limits, in users"]
    figures = ["requests/s", "requests/s that the CPU allows", "ms", "requests at once", "cores of the service"]
    table([*limits, *figures], _rows(of))
    whys = [[step.name, users, step.change] for step, users in zip(steps(of), answers(of), strict=True)]
    table(["step", "is the answer for this many users", "what changes for the operator; in the API: nothing"], whys)


if __name__ == "__main__":
    main()
