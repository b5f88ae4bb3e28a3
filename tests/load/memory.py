"""The memory of a worker: idle, and after 100,000 requests."""

from tests.load import generator
from tests.load.data import load, postgres
from tests.load.machine import on_core, processes, resident_megabytes
from tests.load.operations import OPERATIONS, users
from tests.load.output import progress, table
from tests.load.servers import FASTAPI, FASTIFY, LIMIT, OURS, Server, runnable, running

_REQUESTS = 100_000
_MEASURED = ("get", "list", "poll-list", "search", "post", "patch")
_ROUND_SECONDS = 2


def main() -> bool:
    """Measure, print a table, and return whether every request succeeded."""
    with on_core(-1), postgres() as database:
        load(database, users())
        rows = [[f"{name}, idle", _megabytes(name, database)] for name in runnable([LIMIT, FASTAPI, FASTIFY, OURS])]
        rows.append([f"{OURS}, two workers, idle; parent process + resource tracker", _two_workers(database)])
        with on_core(0), running(OURS, database) as server, on_core(-1):
            answered, errors = _load(server)
            rows.append([f"{OURS}, after {answered:,} requests", _resident(server.pid)])
    table(["one worker", "RSS, MB"], rows)
    return not errors


def _megabytes(name: str, database: str) -> str:
    with on_core(0), running(name, database) as server:
        return _resident(server.pid)


def _two_workers(database: str) -> str:
    with running(OURS, database, WEB_CONCURRENCY="2") as server:
        parent, *children = processes(server.pid)
        # The smallest is multiprocessing's resource tracker.
        tracker, *workers = sorted(children, key=resident_megabytes)
        return f"{', '.join(map(_resident, workers))}; {_resident(parent)} + {_resident(tracker)}"


def _resident(pid: int) -> str:
    return f"{resident_megabytes(pid):.0f}"


def _load(server: Server) -> tuple[int, int]:
    """Send requests for each operation in turn, and return the number of responses and of failures."""
    operations = [one for one in OPERATIONS if one.name in _MEASURED]
    answered = errors = 0
    while answered < _REQUESTS:
        operation = operations[0]
        operations.append(operations.pop(0))
        progress(f"memory after {answered:,} requests")
        done = generator.send(server.url, operation.requests(answered), _ROUND_SECONDS)
        answered, errors = answered + done.requests, errors + done.errors
    return answered, errors
