"""What the simulation of capacity rests on: each assumption is an option of its command line, with its default."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import inf


def _of(default: float, meaning: str) -> float:
    value: float = field(default=default, metadata={"help": meaning})
    return value


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Users, their requests, what those cost, and the machines. The defaults of the costs are measured."""

    requests: float = _of(40, "requests a day of an average user, most of whom are not there every day")
    peak: float = _of(5, "how many times the average rate the busiest minutes have")
    polls: float = _of(70, "of 100 requests: polls that find nothing new")
    gets: float = _of(5, "of 100 requests: tasks fetched")
    lists: float = _of(17, "of 100 requests: lists of 50, with the total")
    searches: float = _of(1, "of 100 requests: searches")
    creates: float = _of(2, "of 100 requests: tasks created")
    changes: float = _of(5, "of 100 requests: tasks changed or deleted")
    poll_cpu: float = _of(14, "µs of PostgreSQL's CPU for a poll")
    get_cpu: float = _of(18, "µs for a task fetched")
    list_cpu: float = _of(110, "µs for a list")
    search_cpu: float = _of(650, "µs for a search")
    create_cpu: float = _of(210, "µs for a task created")
    change_cpu: float = _of(150, "µs for a task changed or deleted")
    vacuum_cpu: float = _of(34, "µs of vacuum for a write")
    service_cpu: float = _of(80, "µs of a worker of the service for a request")
    tasks: float = _of(1000, "tasks of an average user, deleted ones included: three years of these creates")
    task_bytes: float = _of(840, "bytes of a task, with its indexes")
    hot: float = _of(10, "% of the data that is read every day, and should fit into memory")
    small: float = _of(8, "cores of a PostgreSQL")
    large: float = _of(64, "cores of the largest PostgreSQL, and of a node of a cluster")
    busy: float = _of(50, "% of its cores that a machine uses at the peak")
    memory: float = _of(8, "GB of memory for each core")
    cache: float = _of(75, "% of the memory that holds data")
    disk: float = _of(250, "GB of disk for each core")
    latency: float = _of(1, "ms to PostgreSQL and back, or from one node of a cluster to another")
    space_cores: float = _of(2, "cores of a Space on free hardware")
    neon_cores: float = _of(2, "cores of Neon's free plan, at most")
    neon_disk: float = _of(0.5, "GB of storage of Neon's free plan")
    workers: float = _of(4, "workers of a Citus, besides its coordinator")
    coordinator_read: float = _of(
        4, "times one PostgreSQL's CPU for a read that the coordinator of a Citus takes for it"
    )
    coordinator_create: float = _of(30, "the same for a task created")
    coordinator_change: float = _of(7, "the same for a task changed or deleted")
    worker_read: float = _of(4, "times one PostgreSQL's CPU for a read that a worker of a Citus takes for it")
    worker_create: float = _of(15, "the same for a task created")
    worker_change: float = _of(7, "the same for a task changed or deleted")


def read(arguments: Sequence[str] | None = None) -> Assumptions:
    """Return the assumptions, as the command line changes them. Exits if an argument is not a number above 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.capacity", description="Compute what databases carry.")
    for one in fields(Assumptions):
        option = f"--{one.name.replace('_', '-')}"
        meaning = f"{one.metadata['help'].replace('%', '%%')} (default: {one.default:g})"
        parser.add_argument(option, type=_positive, default=one.default, metavar="N", help=meaning)
    return Assumptions(**vars(parser.parse_args(arguments)))


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return number
