"""What a case is, and how its bytes are put together."""

from typing import Literal, NamedTuple

from tests.support.client import mint

USER = "mallory"
TASKS = f"/api/{USER}/tasks"
NO_TASK = f"{TASKS}/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
VERIFY = "/api/auth/verify"
LIVE = "/health/live"
TITLE = b'{"title": "t"}'
HOST = b"Host: todo.example.com"
JSON = b"Content-Type: application/json"
AUTHORIZATION = f"Authorization: Bearer {mint(USER)}".encode()


class Case(NamedTuple):
    """Bytes, the statuses of the answers to them, and what becomes of the connection.

    It is kept for the next request, or closed, or waits: for the rest of a request that has not been sent whole.
    """

    name: str
    request: bytes
    statuses: tuple[int, ...]
    connection: Literal["kept", "closed", "waits"] = "kept"


def head(line: str | bytes, *fields: bytes) -> bytes:
    """Return a request's head of exactly these lines."""
    return b"\r\n".join([line.encode() if isinstance(line, str) else line, *fields, b"", b""])


def get(target: str | bytes, *fields: bytes) -> bytes:
    """Return a GET of a target, as it is, with a token."""
    line = b"GET %s HTTP/1.1" % (target.encode() if isinstance(target, str) else target)
    return head(line, HOST, AUTHORIZATION, *fields)


def post(content: bytes, *fields: bytes, line: str = f"POST {TASKS} HTTP/1.1") -> bytes:
    """Return a request that would create a task, with a token and the content's own length."""
    return head(line, HOST, AUTHORIZATION, *fields, b"Content-Length: %d" % len(content)) + content
