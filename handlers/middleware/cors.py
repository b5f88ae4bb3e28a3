"""CORS (the WHATWG Fetch standard): which origins may call, with which methods and headers, and what they may read."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.contract.operation import operations
from handlers.responses.problems import MEDIA_TYPE, InputError, Problem, invalid_input

# Beside what the operations declare.
_REQUEST_HEADERS = {"Authorization", "Content-Type", "X-Request-ID"}
_RESPONSE_HEADERS = {"Allow"}
# What pages may read anyway.
_SAFELISTED = {"Cache-Control"}
_VARY = [(b"vary", b"Origin")]
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


def with_cors(app: ASGIApp, origins: tuple[str, ...], specification: Mapping[str, Any]) -> ASGIApp:
    """Wrap an application so that pages of these origins, or of all with `*`, may use all that the contract declares.

    `specification` is the contract with its references resolved.
    """
    declared = [(method, operation) for _, method, operation in operations(specification)]
    parts = [*specification["paths"].values(), *(operation for _, operation in declared)]
    parameters = [parameter for part in parts for parameter in part.get("parameters", ())]
    responses = [response for _, operation in declared for response in operation["responses"].values()]
    return _CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=sorted({method.upper() for method, _ in declared} | {"HEAD"}),
        allow_headers=sorted({one["name"] for one in parameters if one["in"] == "header"} | _REQUEST_HEADERS),
        expose_headers=sorted({name for one in responses for name in one["headers"]} - _SAFELISTED | _RESPONSE_HEADERS),
        allow_credentials="*" not in origins,
    )


class _CORSMiddleware(CORSMiddleware):
    """Starlette's, with a problem document for a preflight that it refuses, and headers that are made once."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        super().__init__(app, **options)
        self._readable = Headers(self.simple_headers).raw

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        """Mark an answer, with headers that are made once and not looked for among those that are there."""
        headers = self._headers_for(request_headers.get("origin"))

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await self.app(scope, receive, send_marked)

    def _headers_for(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        if origin is None:
            return _VARY
        if self.allow_all_origins or not self.is_allowed_origin(origin):
            return [*self._readable, *_VARY]
        return [*self._readable, (b"access-control-allow-origin", origin.encode("latin-1")), *_VARY]

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
