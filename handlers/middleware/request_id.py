"""X-Request-ID: every request has one, and every response carries it."""

import re
from secrets import token_hex

from starlette.types import Message, Scope

from handlers.responses.state import RawHeaders, request_state

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def request_id_of(headers: RawHeaders) -> str:
    """Return the client's X-Request-ID if it is harmless in logs, or make one."""
    for name, value in headers:
        if name == b"x-request-id" and _ACCEPTED.fullmatch(value):
            return value.decode()
    return token_hex(16)


def add_request_id(scope: Scope, start: Message) -> None:
    """Add the header to a response."""
    start["headers"].append((b"x-request-id", request_state(scope).request_id.encode()))
