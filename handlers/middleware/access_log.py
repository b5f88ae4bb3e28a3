"""The access log: one line for each request, when its response is complete."""

import time

from starlette.types import Scope

from handlers.responses.state import RequestState
from handlers.telemetry.logs import log_request


def log(scope: Scope, state: RequestState) -> None:
    """Log a request that has ended, whichever part of the service answered it."""
    log_request(
        method=scope["method"],
        route=state.route,
        path=scope["raw_path"],
        status=state.status,
        seconds=time.perf_counter() - state.started,
        request_id=state.request_id,
        user_id=None if state.principal is None else state.principal["user_id"],
        client=scope["client"],
    )
