"""What is measured: each operation as the bytes of its requests, the same for all servers."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import orjson

from tests.client import mint
from tests.load.data import OTHERS, READER, WRITER, task_id

ORIGIN = "https://app.example.com"


class Operation(NamedTuple):
    """What is asked: by its name on the command line, its title in the table, and the status that must come back.

    `requests` makes what is asked in turn, over and over.
    """

    name: str
    title: str
    status: int
    requests: Callable[[], Sequence[bytes]]


def request(method: str, user: str, path: str, body: object = None, **headers: str) -> bytes:
    """Return a request (RFC 9112) as a browser's page sends it, to a path below `/api/{user}`."""
    content = b"" if body is None else orjson.dumps(body)
    fields = {"Host": "localhost", "Origin": ORIGIN, "Accept": "application/json", "Authorization": _bearer(user)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"{method} /api/{user}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


_tokens: dict[str, str] = {}


def _bearer(user: str) -> str:
    if user not in _tokens:
        _tokens[user] = mint(user)
    return f"Bearer {_tokens[user]}"


def _gets() -> list[bytes]:
    return [request("GET", READER, f"/tasks/{task_id(0, number)}") for number in range(1000)]


def _lists() -> list[bytes]:
    return [request("GET", READER, "/tasks")]


def _creations(users: Sequence[str]) -> Iterator[bytes]:
    for number, user in enumerate(users):
        body = {"title": f"Buy milk, for the {number}th time", "description": "Two litres, the oat one"}
        yield request("POST", user, "/tasks", body | {"priority": "High", "tags": ["home", "shopping"]})


OPERATIONS = [
    Operation("get", "GET task", 200, _gets),
    Operation("list", "list 50", 200, _lists),
    Operation("post", "POST", 201, lambda: list(_creations([*OTHERS, WRITER]))),
]
