"""How requests per second grow with the workers, on all cores: the load and PostgreSQL have none of their own."""

from contextlib import ExitStack
from statistics import median

from tests.load import generator
from tests.load.data import load, postgres
from tests.load.machine import cores
from tests.load.operations import OPERATIONS, users
from tests.load.output import progress, table, write
from tests.load.servers import OURS, running

_WORKERS = (1, 2, 4)
_ASKED = ("get", "list", "post")
_ROUNDS = 3
_SECONDS = 2


def main() -> None:
    """Measure, and write a table."""
    operations = [one for one in OPERATIONS if one.name in _ASKED]
    with ExitStack() as stack:
        database = stack.enter_context(postgres())
        load(database, users())
        servers = [stack.enter_context(running(OURS, database, WEB_CONCURRENCY=str(count))) for count in _WORKERS]
        rates: dict[tuple[int, str], list[float]] = {}
        # The first round is for warming up.
        for number in range(_ROUNDS + 1):
            for count, server in zip(_WORKERS, servers, strict=True):
                for one in operations:
                    progress(f"{one.title}, {count} workers, round {number} of {_ROUNDS}")
                    done = generator.send(server.url, one.requests(number), _SECONDS if number else 1)
                    rates.setdefault((count, one.name), []).append(done.rate)
    write(f"Nothing is bound to a core here: workers, PostgreSQL and the load share {len(cores)} cores.")
    rows = [[str(count), *(f"{median(rates[count, one.name][1:]):,.0f}" for one in operations)] for count in _WORKERS]
    table(["workers", *(f"{one.title}, requests/s" for one in operations)], rows)
