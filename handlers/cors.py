"""CORS (the WHATWG Fetch standard): which origins may call, with which methods and headers, and what they may read."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_ALLOWED_HEADERS = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Request-ID"]
_EXPOSED_HEADERS = ["Allow", "ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"]


def with_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """Wrap an application so that pages of these origins, or of all with `*`, may call it."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["DELETE", "GET", "HEAD", "PATCH", "POST"],
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
        allow_credentials="*" not in origins,
    )
