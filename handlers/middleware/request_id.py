"""X-Request-ID: every request has one, and every response carries it."""

import re
import time
from secrets import token_hex

from starlette.types import Message, Scope

from handlers.middleware.response_middleware import ResponseMiddleware
from handlers.responses.state import RequestState, begin_request, request_state

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class RequestIdMiddleware(ResponseMiddleware):
    """Begins each request's state. It must be the outermost middleware."""

    def on_request(self, scope: Scope, /) -> None:
        """Accept the client's X-Request-ID if it is harmless in logs, or make one."""
        request_id = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        text = request_id.decode() if _ACCEPTED.fullmatch(request_id) else token_hex(16)
        begin_request(scope, RequestState(text, time.perf_counter()))

    def on_response(self, scope: Scope, start: Message, /) -> None:
        """Add the header."""
        start["headers"] = [*start["headers"], (b"x-request-id", request_state(scope).request_id.encode())]
