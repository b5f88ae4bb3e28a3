"""X-Request-ID: every request has one, and every response carries it."""

import re
from secrets import token_hex

from starlette.types import Message, Scope

from handlers.responses.state import request_state

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def request_id_of(scope: Scope) -> str:
    """Return the client's X-Request-ID if it is harmless in logs, or make one."""
    request_id = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return request_id.decode() if _ACCEPTED.fullmatch(request_id) else token_hex(16)


def add_request_id(scope: Scope, start: Message) -> None:
    """Add the header to a response."""
    start["headers"].append((b"x-request-id", request_state(scope).request_id.encode()))
