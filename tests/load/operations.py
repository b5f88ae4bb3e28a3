"""The measured operations: the bytes of their requests, which are the same for every server."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import cycle
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg

from tests.load.data import EPOCH, OTHERS, RARE_WORD, READER, WRITER, task_id
from tests.support.client import mint

ORIGIN = "https://app.example.com"
READER_TASKS = 1000
OTHERS_TASKS = 1005
# More requests than a server can answer in one round, for operations that take each request once.
ONCE = 60_000
SET = 100
_FIRST_PREPARED = 100_000
_FIRST_RECURRING = 200_000
_USERS = [READER, WRITER, *OTHERS]
WRITERS = _USERS[1:]
_NEW = {"title": "Buy milk", "description": "Two litres, the oat one", "priority": "High", "tags": ["home", "food"]}
_PREPARED = {"title": "Call the bank"}
_RECURRING = "Water the plants"
_DAILY = {"frequency": "daily", "interval": 1, "from": "due", "missed": "skip"}
_PREPARE = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)
    SELECT user_id, id, 1, %s, false, 2, '{}', now(), now()
    FROM unnest(%s::text[], %s::uuid[]) AS new (user_id, id)
    ON CONFLICT (user_id, id) DO UPDATE SET deleted_at = NULL WHERE tasks.deleted_at IS NOT NULL
"""
_PREPARE_RECURRING = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at,
        due_date, recurrence, series_id, occurrence_date)
    SELECT user_id, id, 1, %s, false, 2, '{}', now(), now(), current_date, %s::jsonb, id, current_date
    FROM unnest(%s::text[], %s::uuid[]) AS new (user_id, id)
"""
_DELETE = "UPDATE tasks SET deleted_at = now() WHERE user_id = %s AND title = %s AND deleted_at IS NULL"
_REOPEN = "UPDATE tasks SET completed = false, completed_at = NULL WHERE completed AND id = ANY(%s)"


class Targets(NamedTuple):
    """How fast the service should be, as a multiple of the limit, of FastAPI and of Fastify; None means no target."""

    limit: float | None = None
    fastapi: float | None = None
    fastify: float | None = None


class Operation(NamedTuple):
    """A measured operation: its name on the command line, its title in the table, and the status it must return.

    `requests` builds the requests to send in turn, repeatedly unless each can be sent only `once`. Its argument is a
    number that differs from round to round. `prepare` readies the database for a round. If the operation is `own`, only
    this service has it.
    """

    name: str
    title: str
    status: int
    requests: Callable[[int], Sequence[bytes]]
    targets: Targets = Targets()
    once: bool = False
    prepare: Callable[[psycopg.Connection[Any]], object] = lambda _: None
    own: bool = False


def request(method: str, user: str, path: str, body: object = None, **headers: str) -> bytes:
    """Return a request (RFC 9112) to a path below `/api/{user}`, with the headers that a web page sends."""
    content = b"" if body is None else orjson.dumps(body)
    fields = {"Host": "localhost", "Origin": ORIGIN, "Accept": "application/json", "Authorization": _bearer(user)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"{method} /api/{user}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


@cache
def _bearer(user: str) -> str:
    return f"Bearer {mint(user)}"


def _repeated(path: str, **headers: str) -> Callable[[int], list[bytes]]:
    return lambda _: [request("GET", READER, path, **headers)]


def _each_task(*, cached: bool) -> Callable[[int], list[bytes]]:
    """Return requests for each of the reader's tasks; if `cached`, with the ETag of its current revision."""

    def requests(_: int) -> list[bytes]:
        tags = [{"If_None_Match": f'"{number + 1}"'} if cached else {} for number in range(READER_TASKS)]
        return [request("GET", READER, f"/tasks/{task_id(0, number)}", **tag) for number, tag in enumerate(tags)]

    return requests


def _creations(users: Sequence[str]) -> Callable[[int], list[bytes]]:
    return lambda _: [creation(user) for user in users]


def _keyed_creations(users: Sequence[str]) -> Callable[[int], list[bytes]]:
    """Return requests each of which has a key of its own."""

    def requests(salt: int) -> list[bytes]:
        each = zip(cycle(users), range(ONCE), strict=False)
        return [creation(user, Idempotency_Key=f"{salt:032x}-{number:08}") for user, number in each]

    return requests


def _analyse_keys(connection: psycopg.Connection[Any]) -> None:
    """Do what autovacuum would do, if it were on: PostgreSQL keeps the plans that it made while there were no keys."""
    connection.execute("ANALYZE idempotency_keys")


def _puts(salt: int) -> list[bytes]:
    """Return requests that create tasks with ids that the client chose, in ascending order."""
    new = [UUID(int=salt << 32 | number) for number in range(ONCE)]
    return [request("PUT", user, f"/tasks/{one}", _NEW) for user, one in zip(cycle(WRITERS), new, strict=False)]


def _repeated_puts(_: int) -> list[bytes]:
    """Return requests that replace tasks by what they are."""
    return [request("PUT", user, f"/tasks/{one}", _PREPARED) for user, one in _prepared(len(WRITERS))]


def creation(user: str, **headers: str) -> bytes:
    """Return a request that creates a task."""
    return request("POST", user, "/tasks", _NEW, **headers)


def creating_batch(user: str) -> bytes:
    """Return a request that creates a hundred tasks, as many as a batch may have."""
    return request("POST", user, "/batch", {"operations": [{"op": "create", "task": _NEW}] * SET})


def _ten_each() -> list[tuple[str, UUID]]:
    return [(user, task_id(_USERS.index(user), number)) for number in range(10) for user in OTHERS]


def _changes(salt: int) -> list[bytes]:
    """Return requests that change ten tasks of each user, and then change each of them again."""
    return [
        request("PATCH", user, f"/tasks/{one}", {"title": f"Buy milk for the {salt}{time} time"})
        for time in "ab"
        for user, one in _ten_each()
    ]


def _completions(_: int) -> list[bytes]:
    """Return requests that complete ten tasks of each user, and then reopen each of them."""
    return [
        request("PATCH", user, f"/tasks/{one}", {"completed": completed})
        for completed in (True, False)
        for user, one in _ten_each()
    ]


def _reopen(connection: psycopg.Connection[Any]) -> None:
    connection.execute(_REOPEN, [[one for _, one in _ten_each()]])


def a_hundred(user: str) -> str:
    """Return the path with a query for as many tasks of a user as it may name."""
    return "/tasks?" + "&".join(f"id={task_id(_USERS.index(user), number)}" for number in range(SET))


def _set_changes(salt: int) -> list[bytes]:
    """Return requests that change a hundred tasks of each user, and then change them again."""
    return [
        request("PATCH", user, a_hundred(user), {"title": f"Buy milk for the {salt}{time} time"})
        for time in "ab"
        for user in OTHERS
    ]


def _prepared(count: int, first: int = _FIRST_PREPARED) -> Iterator[tuple[str, UUID]]:
    for number in range(count):
        round_, user = divmod(number, len(WRITERS))
        yield WRITERS[user], task_id(user + 1, first + round_)


def _deletions(_: int) -> list[bytes]:
    return [request("DELETE", user, f"/tasks/{one}") for user, one in _prepared(ONCE)]


def _prepare(connection: psycopg.Connection[Any]) -> None:
    """Create the prepared tasks, or restore them if an earlier round has deleted them."""
    users, ids = zip(*_prepared(ONCE), strict=True)
    connection.execute(_PREPARE, [_PREPARED["title"], list(users), list(ids)])


def _occurrences(_: int) -> list[bytes]:
    """Return requests that complete recurring tasks, each of which creates its next occurrence."""
    each = _prepared(ONCE, _FIRST_RECURRING)
    return [request("PATCH", user, f"/tasks/{one}", {"completed": True}) for user, one in each]


def _prepare_recurring(connection: psycopg.Connection[Any]) -> None:
    """Create the recurring tasks, without what an earlier round has made of them."""
    users, ids = zip(*_prepared(ONCE, _FIRST_RECURRING), strict=True)
    rule = orjson.dumps(_DAILY).decode()
    connection.execute("DELETE FROM tasks WHERE title = %s", [_RECURRING])
    connection.execute(_PREPARE_RECURRING, [_RECURRING, rule, list(users), list(ids)])


def _trash(_: int) -> list[bytes]:
    return [request("GET", WRITER, "/trash")]


def _prepare_trash(connection: psycopg.Connection[Any]) -> None:
    _prepare(connection)
    connection.execute(_DELETE, [WRITER, _PREPARED["title"]])


_LIST_TAG = f'W/"{READER_TASKS}"'
_SYNC_TOKEN = f"{EPOCH}.{READER_TASKS}.0"
_RECURRING_ONCE: Any = {"once": True, "prepare": _prepare_recurring, "own": True}
_KEYED: Any = {"once": True, "prepare": _analyse_keys, "own": True}
OPERATIONS = [
    Operation("get", "GET task", 200, _each_task(cached=False), Targets(0.75, 4, 1)),
    Operation("list", "list 50", 200, _repeated("/tasks"), Targets(0.75, 4, 1)),
    Operation("poll-task", "poll task, 304", 304, _each_task(cached=True)),
    Operation("poll-list", "poll list, 304", 304, _repeated("/tasks", If_None_Match=_LIST_TAG)),
    Operation("changes", "changes, page of 500", 200, _repeated("/changes"), own=True),
    Operation("poll-changes", "poll changes, empty", 200, _repeated(f"/changes?sync_token={_SYNC_TOKEN}"), own=True),
    Operation("search", "search, rare word", 200, _repeated(f"/tasks?search={RARE_WORD}")),
    Operation("tags", "tags of 1,000 tasks", 200, _repeated("/tags")),
    Operation("post", "POST, 200 users", 201, _creations(WRITERS), Targets(0.70, 4, 1)),
    Operation("post-one", "POST, one user", 201, _creations([WRITER])),
    Operation("patch", "PATCH, 199 users", 200, _changes, Targets(fastify=1)),
    Operation("complete", "PATCH completed", 200, _completions, prepare=_reopen),
    Operation("occurrence", "PATCH completed, recurring", 200, _occurrences, **_RECURRING_ONCE),
    Operation("delete", "DELETE, 200 users", 204, _deletions, Targets(fastify=1), once=True, prepare=_prepare),
    Operation("put", "PUT, new", 201, _puts, once=True, own=True),
    Operation("put-same", "PUT, same content", 200, _repeated_puts, prepare=_prepare, own=True),
    Operation("keyed", "POST with a key, 200 users", 201, _keyed_creations(WRITERS), **_KEYED),
    Operation("keyed-one", "POST with a key, one user", 201, _keyed_creations([WRITER]), **_KEYED),
    Operation("trash", "trash, 50 of 300", 200, _trash, prepare=_prepare_trash, own=True),
    Operation("update-set", "PATCH of 100 tasks", 200, _set_changes, own=True),
    Operation("batch", "batch of 100 creates", 200, lambda _: [creating_batch(user) for user in WRITERS], own=True),
]


def users() -> dict[str, int]:
    """Return how many tasks each user starts with."""
    return {READER: READER_TASKS, WRITER: 0} | dict.fromkeys(OTHERS, OTHERS_TASKS)
