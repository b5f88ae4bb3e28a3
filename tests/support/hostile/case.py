"""Defines a case, and functions that build the bytes of its request."""

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
    """The bytes to send, the statuses of the responses, and what the server must do with the connection.

    The server keeps the connection for another request, closes it, or waits for the rest of an incomplete request.
    """

    name: str
    request: bytes
    statuses: tuple[int, ...]
    connection: Literal["kept", "closed", "waits"] = "kept"


def head(line: str | bytes, *fields: bytes) -> bytes:
    """Return the head of a request with exactly these lines."""
    return b"\r\n".join([line.encode() if isinstance(line, str) else line, *fields, b"", b""])


def get(target: str | bytes, *fields: bytes) -> bytes:
    """Return a GET request with a token. The target is not encoded."""
    line = b"GET %s HTTP/1.1" % (target.encode() if isinstance(target, str) else target)
    return head(line, HOST, AUTHORIZATION, *fields)


def post(content: bytes, *fields: bytes, line: str = f"POST {TASKS} HTTP/1.1") -> bytes:
    """Return a request with content, a token and a correct Content-Length; by default, it creates a task."""
    return head(line, HOST, AUTHORIZATION, *fields, b"Content-Length: %d" % len(content)) + content
