"""How requests per second grow with the number of workers, which share all cores with PostgreSQL and the load."""

from contextlib import ExitStack
from statistics import median

from tests.load import generator
from tests.load.data import load, postgres
from tests.load.generator import Load
from tests.load.machine import cores
from tests.load.operations import OPERATIONS, users
from tests.load.output import progress, table, write
from tests.load.servers import OURS, running

_WORKERS = (1, 2, 4)
_MEASURED = ("get", "list", "post")
_ROUNDS = 3
_SECONDS = 2


def main() -> bool:
    """Measure, print a table, and return whether every request succeeded."""
    operations = [one for one in OPERATIONS if one.name in _MEASURED]
    with ExitStack() as stack:
        database = stack.enter_context(postgres())
        load(database, users())
        servers = [stack.enter_context(running(OURS, database, WEB_CONCURRENCY=str(count))) for count in _WORKERS]
        loads: dict[tuple[int, str], list[Load]] = {}
        # The first round is a warm-up.
        for number in range(_ROUNDS + 1):
            for count, server in zip(_WORKERS, servers, strict=True):
                for one in operations:
                    progress(f"{one.title}, {count} workers, round {number} of {_ROUNDS}")
                    done = generator.send(server.url, one.requests(number), _SECONDS if number else 1)
                    loads.setdefault((count, one.name), []).append(done)
    write(f"Workers, PostgreSQL and the load share all {len(cores)} cores.")
    rows = [[str(count), *(_rate(loads[count, one.name][1:]) for one in operations)] for count in _WORKERS]
    table(["workers", *(f"{one.title}, requests/s" for one in operations)], rows)
    return not any(one.errors for measured in loads.values() for one in measured)


def _rate(measured: list[Load]) -> str:
    return f"{median(one.rate for one in measured):,.0f}"
