"""Errors become problem documents, wherever they were raised."""

import logging
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope, Send

from handlers.middleware.methods import Methods
from handlers.resources import problems as resources
from handlers.responses.entity_tags import mistake_in
from handlers.responses.problems import Problem, send_problem
from handlers.responses.response import send_whole
from handlers.responses.state import request_state
from storage.errors import Busy, PreconditionFailed, Unavailable

_logger = logging.getLogger(__name__)


class Errors:
    """Sends a problem document for every error that is raised before a response has begun."""

    def __init__(self, methods: Methods, on_unavailable: Callable[[Unavailable], None]) -> None:
        """`on_unavailable` is called for each request that fails because of the database."""
        self._methods = methods
        self._on_unavailable = on_unavailable

    async def send(self, scope: Scope, send: Send, error: Exception) -> None:
        """Send the document. Raises the error again if the response had begun."""
        state = request_state(scope)
        if state.status is not None:
            _log_cut_off(state.request_id)
            raise error
        if isinstance(error, HTTPException) and error.status_code == 405:
            allow = {"Allow": self._methods.allow(scope["path"])}
            if scope["method"] == "OPTIONS":
                await send_whole(send, 204, allow)
                return
            error = Problem(405, f"This path supports {allow['Allow']}.", headers=allow)
        problem = problem_of(error, Headers(scope=scope))
        _log(error, problem, state.request_id)
        if isinstance(error, Unavailable):
            self._on_unavailable(error)
        await send_problem(send, problem, state.request_id, problem.headers)


def _log_cut_off(request_id: str) -> None:
    extra = {"request_id": request_id}
    _logger.error("request %s failed after its response had begun; the next record says why", request_id, extra=extra)


def _log(error: Exception, problem: Problem, request_id: str) -> None:
    """Log an error of the service, and any details that the client's document leaves out."""
    extra = {"request_id": request_id}
    if problem.status == 500:
        _logger.error("request %s failed", request_id, exc_info=error, extra=extra)
    elif isinstance(error, Busy):
        _logger.warning("request %s was not served: %s", request_id, error, extra=extra)
    elif isinstance(error, Unavailable):
        _logger.warning("request %s could not reach the database: %s", request_id, error, extra=extra)
    elif problem.log_message is not None:
        _logger.info(
            "request %s was rejected: %s", request_id, problem.log_message, extra=extra | {**problem.log_fields}
        )


def problem_of(error: Exception, headers: Headers) -> Problem:
    """Return what a client sees of an error, whichever layer raised it; `headers` are those of the request."""
    match error:
        case Problem():
            return error
        case HTTPException(status_code=404):
            return Problem(404, "There is nothing at this path.")
        case PreconditionFailed(resource=resource):
            given = ", ".join(headers.getlist("if-match"))
            reason = mistake_in(given) if given else f"There is a {resource} with this id already."
            found = resources.problem_of(error, reason)
        case _:
            found = resources.problem_of(error)
    return found or Problem(500, "The server failed. This is not your fault, and the error has been logged.")
