"""The latency of each operation for users who have 100 to 100,000 tasks.

Requests run one after another on one connection, for the four users in turn. The same database session serves them
all, which exposes a query plan that suits only some of them.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.load.data import postgres
from tests.load.output import progress, table
from tests.load.population import FREQUENT, RARE, SIZES, load, user_of
from tests.load.servers import OURS, running
from tests.support.client import mint

_SECONDS = 0.7
_MOST, _LEAST = 300, 20


class Client:
    """One user, on a connection shared by all users."""

    def __init__(self, connection: http.client.HTTPConnection, size: int) -> None:
        self.size = size
        self._connection = connection
        self._path = f"/api/{user_of(size)}"
        self._headers = {"Authorization": f"Bearer {mint(user_of(size))}"}

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request, and return the response and its body."""
        self._connection.request(method, self._path + path, body, {**self._headers, **(headers or {})})
        response = self._connection.getresponse()
        return response, response.read()

    def get(self, path: str) -> Any:
        """Send a GET, and return the parsed JSON body."""
        response, body = self.send("GET", path)
        assert response.status == 200, body
        return json.loads(body)


Request = Callable[[], tuple[http.client.HTTPResponse, bytes]]


class Operation(NamedTuple):
    """A measured operation: `prepare` builds a user's request; if `flat`, its time must not grow with the tasks."""

    name: str
    status: int
    prepare: Callable[[Client], Request]
    flat: bool = False
    most_milliseconds: int = 60


def _list(query: str = "") -> Callable[[Client], Request]:
    return lambda client: lambda: client.send("GET", f"/tasks{query}")


def _cursor_page(part: int) -> Callable[[Client], Request]:
    def prepare(client: Client) -> Request:
        offset = min(client.size // part, client.size - 50) - 1 if part else 49
        cursor = client.get(f"/tasks?limit=1&offset={offset}")["next_cursor"]
        return lambda: client.send("GET", f"/tasks?cursor={cursor}")

    return prepare


def _deep_offset(client: Client) -> Request:
    return lambda: client.send("GET", f"/tasks?offset={client.size // 2}")


def _task(client: Client) -> str:
    return f"/tasks/{client.get(f'/tasks?limit=1&offset={client.size // 3}')['tasks'][0]['id']}"


def _get(client: Client) -> Request:
    path = _task(client)
    return lambda: client.send("GET", path)


def _poll(path_of: Callable[[Client], str]) -> Callable[[Client], Request]:
    def prepare(client: Client) -> Request:
        path = path_of(client)
        tag = client.send("GET", path)[0].headers["ETag"]
        return lambda: client.send("GET", path, headers={"If-None-Match": tag})

    return prepare


def _create(client: Client) -> Request:
    body = json.dumps({"title": "Buy milk", "description": "Two litres", "tags": ["home"], "priority": "High"}).encode()
    return lambda: client.send("POST", "/tasks", body, {"Content-Type": "application/json"})


def _patch(client: Client) -> Request:
    path = _task(client)
    titles = iter(range(1_000_000))

    def request() -> tuple[http.client.HTTPResponse, bytes]:
        body = json.dumps({"title": f"Changed {next(titles)} times", "completed": True}).encode()
        return client.send("PATCH", path, body, {"Content-Type": "application/json"})

    return request


def _move(client: Client) -> Request:
    """Move the task after one in the middle to the place before it, and back."""
    offset = client.size // 2
    page = client.get(f"/tasks?sort_by=position&sort_direction=asc&limit=2&offset={offset - 1}")["tasks"]
    anchor, task = (one["id"] for one in page)
    bodies = cycle(json.dumps({side: anchor}).encode() for side in ("before", "after"))

    def request() -> tuple[http.client.HTTPResponse, bytes]:
        return client.send("POST", f"/tasks/{task}/move", next(bodies), {"Content-Type": "application/json"})

    return request


OPERATIONS = (
    Operation("default list", 200, _list()),
    Operation("next cursor page", 200, _cursor_page(0), flat=True),
    Operation("deep cursor page", 200, _cursor_page(2), flat=True),
    Operation("page by offset, halfway", 200, _deep_offset),
    Operation("open tasks of high priority", 200, _list("?completed=false&priority=High")),
    Operation("tasks with a tag", 200, _list("?tags=home")),
    Operation("tasks with an unused tag", 200, _list("?tags=nowhere")),
    Operation("tasks in the inbox", 200, _list("?list_id=inbox")),
    Operation("tasks in an unused list", 200, _list("?list_id=019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41")),
    Operation("tasks due today", 200, _list("?due=today")),
    Operation("search: rare word", 200, _list(f"?search={RARE}"), flat=True),
    Operation("search: frequent word", 200, _list(f"?search={FREQUENT}")),
    Operation("search: no match", 200, _list("?search=hippopotamus")),
    Operation("search: two letters", 200, _list("?search=su"), most_milliseconds=200),
    Operation("search: one letter", 200, _list("?search=e"), most_milliseconds=200),
    Operation("sorted by updated_at", 200, _list("?sort_by=updated_at")),
    Operation("sorted by due_date", 200, _list("?sort_by=due_date")),
    Operation("sorted by due_at", 200, _list("?sort_by=due_at")),
    Operation("sorted by priority", 200, _list("?sort_by=priority")),
    Operation("sorted by title", 200, _list("?sort_by=title")),
    Operation("sorted by position", 200, _list("?sort_by=position&sort_direction=asc")),
    Operation("tags", 200, lambda client: lambda: client.send("GET", "/tags")),
    Operation("get", 200, _get, flat=True),
    Operation("304 of a list", 304, _poll(lambda _: "/tasks"), flat=True),
    Operation("304 of a task", 304, _poll(_task), flat=True),
    Operation("create", 201, _create, flat=True),
    Operation("patch", 200, _patch, flat=True),
    Operation("move", 200, _move, flat=True),
)


class Times(NamedTuple):
    """The median and the 99th percentile of a request, in milliseconds."""

    p50: float
    p99: float


def _measure(operation: Operation, clients: list[Client]) -> dict[int, Times]:
    requests = [(client.size, operation.prepare(client)) for client in clients]
    taken: dict[int, list[float]] = {client.size: [] for client in clients}
    # Warm-up, not counted: three requests by four users, since plans settle after ten executions of a statement.
    for _ in range(3):
        for _, request in requests:
            request()
    finish = time.perf_counter() + _SECONDS * len(clients)
    for number in range(_MOST):
        if number >= _LEAST and time.perf_counter() > finish:
            break
        for size, request in requests:
            started = time.perf_counter()
            response, body = request()
            taken[size].append((time.perf_counter() - started) * 1000)
            assert response.status == operation.status, body
    return {size: Times(statistics.median(of), sorted(of)[len(of) * 99 // 100]) for size, of in taken.items()}


def _row(operation: Operation, times: Mapping[int, Times]) -> list[str]:
    smallest, *_, largest = times.values()
    ratio = largest.p50 / smallest.p50
    target = "1.5 times" if operation.flat else f"{operation.most_milliseconds} ms"
    holds = ratio <= 1.5 if operation.flat else largest.p50 <= operation.most_milliseconds
    cells = [f"{of.p50:.2f} ({of.p99:.2f})" for of in times.values()]
    return [operation.name, *cells, f"{ratio:.1f}", target, "yes" if holds else "**no**"]


def _measure_all(url: str) -> Iterator[list[str]]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    clients = [Client(connection, size) for size in SIZES]
    for operation in OPERATIONS:
        progress(f"growth, {operation.name}")
        yield _row(operation, _measure(operation, clients))
    connection.close()


def main() -> None:
    """Load two million tasks, measure each operation for users with 100 to 100,000 of them, and print a table."""
    with postgres() as database:
        load(database)
        with running(OURS, database) as server:
            sizes = [f"{size:,} tasks" for size in SIZES]
            table(["p50 (p99), ms", *sizes, "100,000 : 100", "target", "met"], _measure_all(server.url))
