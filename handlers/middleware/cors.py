"""CORS (the WHATWG Fetch standard): which origins may call, with which methods and headers, and what they may read."""

from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.responses.problems import MEDIA_TYPE, InputError, Problem, invalid_input
from handlers.responses.state import request_state

# In addition to what the operations declare.
_REQUEST_HEADERS = {"Authorization", "Content-Type", "X-Request-ID"}
_RESPONSE_HEADERS = {"Allow"}
# What pages may read anyway.
_SAFELISTED = {"Cache-Control"}
_VARY = [(b"vary", b"Origin")]


class CorsMiddleware(CORSMiddleware):
    """Starlette's, with a problem document for a preflight that it rejects, and with headers that are made once."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: tuple[str, ...],
        methods: Iterable[str],
        request_headers: Iterable[str],
        response_headers: Iterable[str],
    ) -> None:
        """Let pages of these origins, or of all with `*`, use the methods and headers that the contract declares."""
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=sorted({method.upper() for method in methods} | {"HEAD"}),
            allow_headers=sorted({*request_headers, *_REQUEST_HEADERS}),
            expose_headers=sorted({*response_headers} - _SAFELISTED | _RESPONSE_HEADERS),
            allow_credentials="*" not in origins,
        )
        self._readable = Headers(self.simple_headers).raw

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        """Add headers that are made once, without searching those that are there."""
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
        """Return Starlette's response, or a problem document where Starlette rejects the request."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        return _ProblemResponse(invalid_input(self._errors(request_headers)), headers=response.headers)

    def _errors(self, headers: Headers) -> list[InputError]:
        """Return why a preflight is rejected, from the request alone."""
        names = {name.strip() for name in headers.get("access-control-request-headers", "origin").lower().split(",")}
        checks = [
            ("Origin", self.is_allowed_origin(headers["origin"]), "is not one of ALLOWED_ORIGINS"),
            (
                "Access-Control-Request-Method",
                headers["access-control-request-method"] in self.allow_methods,
                "is not a method of the contract",
            ),
            (
                "Access-Control-Request-Headers",
                names <= {*self.allow_headers},
                "lists a header that is not in the contract",
            ),
            (
                "Access-Control-Request-Private-Network",
                "access-control-request-private-network" not in headers,
                "is not granted",
            ),
        ]
        return [
            {"in": "header", "name": name, "detail": detail} for name, is_allowed, detail in checks if not is_allowed
        ]


class _ProblemResponse(Response):
    def __init__(self, problem: Problem, headers: Any) -> None:
        super().__init__(status_code=problem.status, headers=headers)
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the problem document with the request's id."""
        self.body = self._problem.document(request_state(scope).request_id)
        self.headers["content-type"] = MEDIA_TYPE
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)
