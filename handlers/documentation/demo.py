"""The button of `/docs` that authorizes as the user `demo`, for a developer whose browser is on the same machine."""

import re
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]
Mint = Callable[[], str]
"""Returns a token for the user `demo`."""

_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]*)?", re.IGNORECASE)


def _names_loopback(headers: Headers) -> bool:
    """Return whether a request's Host (RFC 9110, section 7.2) is a name that always stands for this machine.

    A website can have its own name resolve to 127.0.0.1 (DNS rebinding). To a browser, its pages then have the same
    origin as this service, but its name is still in Host.
    """
    return _LOOPBACK.fullmatch(headers.get("host", "")) is not None


def for_loopback(page: Endpoint, other: Endpoint) -> Endpoint:
    """Return the endpoint that answers with `page` if the request names this machine, and else with `other`."""

    async def answer(request: Request) -> Response:
        return await (page if _names_loopback(request.headers) else other)(request)

    return answer


def demo_route(mint: Mint) -> Route:
    """Return the route from which the button gets its token. For everybody else, there is nothing at its path."""

    async def answer(request: Request) -> Response:
        if not (_names_loopback(request.headers) and _is_from_this_service(request.headers)):
            raise HTTPException(404)
        return JSONResponse({"token": mint()}, headers={"Cache-Control": "no-store"})

    return Route("/docs/demo-token", answer, methods=["POST"])


def _is_from_this_service(headers: Headers) -> bool:
    """Return whether a page of this service sent a request (Fetch Metadata Request Headers, section 2.3).

    Pages of ALLOWED_ORIGINS can read responses, but other origins must not get a token. Browsers send both headers.
    """
    _, _, sender = headers.get("origin", "").partition("://")
    return headers.get("sec-fetch-site") == "same-origin" and sender.lower() == headers["host"].lower()
