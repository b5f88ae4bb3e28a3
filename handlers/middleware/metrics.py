"""Metrics of requests: their number and duration, and the number of rejected tokens."""

import time

from starlette.types import Message, Scope

from handlers.middleware.response_middleware import ResponseMiddleware
from handlers.responses.state import request_state
from handlers.telemetry.metrics import count_refused_token, count_request


class MetricsMiddleware(ResponseMiddleware):
    """Counts and times each request when its response begins."""

    def on_response(self, scope: Scope, start: Message, /) -> None:
        """Count the request."""
        state = request_state(scope)
        count_request(state.operation_id, start["status"], time.perf_counter() - state.started)
        if start["status"] == 401 and any(b"invalid_token" in value for _, value in start["headers"]):
            count_refused_token()
