"""CORS (the WHATWG Fetch standard): which origins may call, with which methods and headers, and what they may read."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.problems import MEDIA_TYPE, InputError, Problem, invalid_input

_ALLOWED_HEADERS = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID"]
_EXPOSED_HEADERS = ["Allow", "ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"]
# By Starlette's word for each fault.
_FAULTS: dict[str, InputError] = {
    "origin": {"in": "header", "name": "Origin", "detail": "is not one of ALLOWED_ORIGINS"},
    "method": {"in": "header", "name": "Access-Control-Request-Method", "detail": "is not a method of the contract"},
    "headers": {"in": "header", "name": "Access-Control-Request-Headers", "detail": "are not all in the contract"},
    "private-network": {
        "in": "header",
        "name": "Access-Control-Request-Private-Network",
        "detail": "is not granted",
    },
}


def with_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """Wrap an application so that pages of these origins, or of all with `*`, may call it."""
    return _CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["DELETE", "GET", "HEAD", "PATCH", "POST"],
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
        allow_credentials="*" not in origins,
    )


class _CORSMiddleware(CORSMiddleware):
    """Starlette's, with a problem document for a preflight that it refuses."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        faults = bytes(response.body).decode().removeprefix("Disallowed CORS ").split(", ")
        return _ProblemResponse(invalid_input([_FAULTS[fault] for fault in faults]), headers=response.headers)


class _ProblemResponse(Response):
    def __init__(self, problem: Problem, headers: Headers) -> None:
        super().__init__(status_code=problem.status, headers=headers)
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.body = self._problem.document(scope["state"]["request_id"])
        self.headers["content-type"] = MEDIA_TYPE
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)
