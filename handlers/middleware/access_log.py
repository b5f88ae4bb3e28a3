"""The access log: one line for each request, when its response is complete."""

import time

from starlette.types import Message, Scope

from handlers.middleware.response_middleware import ResponseMiddleware
from handlers.responses.state import request_state
from handlers.telemetry.logs import log_request


class AccessLogMiddleware(ResponseMiddleware):
    """Logs each request, whichever part of the stack served it."""

    def on_response(self, scope: Scope, start: Message, /) -> None:
        """Note the status."""
        request_state(scope).status = start["status"]

    def on_end(self, scope: Scope, /) -> None:
        """Log the request."""
        state = request_state(scope)
        log_request(
            method=scope["method"],
            route=state.route,
            status=state.status,
            seconds=time.perf_counter() - state.started,
            request_id=state.request_id,
            user_id=None if state.principal is None else state.principal["user_id"],
            client=scope["client"],
        )
