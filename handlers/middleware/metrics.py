"""Metrics of requests: their number and duration, and the number of rejected bearer tokens and sync tokens."""

import time

from starlette.types import Message, Scope

from handlers.responses.state import request_state
from handlers.telemetry.metrics import count_refused_token, count_request, count_sync_reset

_SYNCHRONISING = ("list_changes", "stream_events")


def count(scope: Scope, start: Message) -> None:
    """Count and time a request when its response begins."""
    state = request_state(scope)
    count_request(state.operation_id, start["status"], time.perf_counter() - state.started)
    if start["status"] == 401 and any(b"invalid_token" in value for _, value in start["headers"]):
        count_refused_token()
    if start["status"] == 410 and state.operation_id in _SYNCHRONISING:
        count_sync_reset()
