"""CORS (the WHATWG Fetch standard): which origins may call, with which methods, and which headers they may use."""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.middleware.origins import ALLOW_ORIGIN, HeadersByOrigin
from handlers.responses.problems import InputError, invalid_input, send_problem
from handlers.responses.response import NoContent
from handlers.responses.state import request_state

# In addition to what the operations declare.
_REQUEST_HEADERS = {"Authorization", "Content-Type", "X-Request-ID"}
_RESPONSE_HEADERS = {"Allow"}
# Pages may read this header of any response.
_SAFELISTED = {"Cache-Control"}
_PREFLIGHT = {
    "Access-Control-Max-Age": "600",
    "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network",
}


class Cors:
    """Answers preflights, and adds headers to all responses.

    A page of an allowed origin may use any method and any header. Refusing one would protect nothing, because the API
    uses no cookies, and would hide from the page what the API answers, such as a 405 with its Allow.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: tuple[str, ...],
        methods: Iterable[str],
        request_headers: Iterable[str],
        response_headers: Iterable[str],
    ) -> None:
        """Let pages of these origins call the API; HeadersByOrigin says what a `*` in them stands for.

        Browsers remember the answer to a preflight, so it lists all methods and headers that the contract declares.
        """
        self._app = app
        self._methods = {method.upper() for method in methods} | {"HEAD"}
        self._request_headers = {name.lower() for name in {*request_headers, *_REQUEST_HEADERS}}
        readable = ", ".join(sorted({*response_headers} - _SAFELISTED | _RESPONSE_HEADERS))
        self._by_origin = HeadersByOrigin(origins, readable.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _is_preflight(scope):
            await self._preflight(Headers(scope=scope), scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def add(self, scope: Scope, start: Message) -> None:
        """Add the headers that every response carries."""
        start["headers"] += self._by_origin[dict(scope["headers"]).get(b"origin")]

    async def _preflight(self, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        if errors := self._errors(headers):
            await send_problem(send, invalid_input(errors), request_state(scope).request_id, _PREFLIGHT)
            return
        asked = headers.get("access-control-request-headers", "").lower().split(",")
        allowed = {
            "Access-Control-Allow-Methods": _list(self._methods | {headers["access-control-request-method"]}),
            "Access-Control-Allow-Headers": _list(self._request_headers | {name.strip() for name in asked} - {""}),
        }
        await NoContent(headers=allowed | _PREFLIGHT)(scope, receive, send)

    def _errors(self, headers: Headers) -> list[InputError]:
        """Return why a preflight is rejected."""
        origin = headers["origin"].encode("latin-1")
        checks = {
            "Origin": (ALLOW_ORIGIN in dict(self._by_origin[origin]), "is not one of ALLOWED_ORIGINS"),
            "Access-Control-Request-Private-Network": (
                "access-control-request-private-network" not in headers,
                "is not allowed",
            ),
        }
        return [
            {"in": "header", "name": name, "detail": words} for name, (allowed, words) in checks.items() if not allowed
        ]


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def _is_preflight(scope: Scope) -> bool:
    """Return whether a request is a CORS-preflight request, as the Fetch standard defines it."""
    if scope["method"] != "OPTIONS":
        return False
    return {b"origin", b"access-control-request-method"} <= {name for name, _ in scope["headers"]}
