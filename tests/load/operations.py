"""The measured operations: the bytes of their requests, which are the same for every server."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import orjson
import psycopg

from tests.load.data import OTHERS, RARE_WORD, READER, WRITER, task_id
from tests.support.client import mint

ORIGIN = "https://app.example.com"
READER_TASKS = 1000
OTHERS_TASKS = 1005
# More tasks than a server can delete in one round.
DELETED = 60_000
_FIRST_DELETED = 100_000
_USERS = [READER, WRITER, *OTHERS]
_DELETED_USERS = _USERS[1:]
_PREPARE_DELETED = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)
    SELECT user_id, id, 1, 'To be deleted', false, 2, '{}', now(), now()
    FROM unnest(%s::text[], %s::uuid[]) AS new (user_id, id)
    ON CONFLICT (user_id, id) DO UPDATE SET deleted_at = NULL WHERE tasks.deleted_at IS NOT NULL
"""


class Targets(NamedTuple):
    """How fast the service should be, as a multiple of the limit, of FastAPI and of Fastify; None means no target."""

    limit: float | None = None
    fastapi: float | None = None
    fastify: float | None = None


class Operation(NamedTuple):
    """A measured operation: its name on the command line, its title in the table, and the status it must return.

    `requests` builds the requests to send in turn, repeatedly unless each can be sent only `once`. Its argument is a
    number that differs from round to round. `prepare` readies the database for a round.
    """

    name: str
    title: str
    status: int
    requests: Callable[[int], Sequence[bytes]]
    targets: Targets = Targets()
    once: bool = False
    prepare: Callable[[psycopg.Connection[Any]], object] = lambda _: None


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
    body = {"title": "Buy milk", "description": "Two litres, the oat one", "priority": "High", "tags": ["home", "food"]}
    return lambda _: [request("POST", user, "/tasks", body) for user in users]


def _changes(salt: int) -> list[bytes]:
    """Return requests that change ten tasks of each user, and then change each of them again."""
    tasks = [(user, task_id(_USERS.index(user), number)) for number in range(10) for user in OTHERS]
    return [
        request("PATCH", user, f"/tasks/{one}", {"title": f"Buy milk for the {salt}{time} time"})
        for time in "ab"
        for user, one in tasks
    ]


def _deleted() -> Iterator[tuple[str, str]]:
    for number in range(DELETED):
        round_, user = divmod(number, len(_DELETED_USERS))
        yield _DELETED_USERS[user], str(task_id(user + 1, _FIRST_DELETED + round_))


def _deletions(_: int) -> list[bytes]:
    return [request("DELETE", user, f"/tasks/{one}") for user, one in _deleted()]


def _restore_deleted(connection: psycopg.Connection[Any]) -> None:
    """Create the tasks to delete, or restore them if an earlier round has deleted them."""
    users, ids = zip(*_deleted(), strict=True)
    connection.execute(_PREPARE_DELETED, [list(users), list(ids)])


_LIST_TAG = f'W/"{READER_TASKS}"'
OPERATIONS = [
    Operation("get", "GET task", 200, _each_task(cached=False), Targets(0.75, 4, 1)),
    Operation("list", "list 50", 200, _repeated("/tasks"), Targets(0.75, 4, 1)),
    Operation("poll-task", "poll task, 304", 304, _each_task(cached=True)),
    Operation("poll-list", "poll list, 304", 304, _repeated("/tasks", If_None_Match=_LIST_TAG)),
    Operation("search", "search, rare word", 200, _repeated(f"/tasks?search={RARE_WORD}")),
    Operation("tags", "tags of 1,000 tasks", 200, _repeated("/tags")),
    Operation("post", "POST, 200 users", 201, _creations([WRITER, *OTHERS]), Targets(0.70, 4, 1)),
    Operation("post-one", "POST, one user", 201, _creations([WRITER])),
    Operation("patch", "PATCH, 199 users", 200, _changes, Targets(fastify=1)),
    Operation("delete", "DELETE, 200 users", 204, _deletions, Targets(fastify=1), once=True, prepare=_restore_deleted),
]


def users() -> dict[str, int]:
    """Return how many tasks each user starts with."""
    return {READER: READER_TASKS, WRITER: 0} | dict.fromkeys(OTHERS, OTHERS_TASKS)
