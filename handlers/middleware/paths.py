"""Paths that no route may match."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send


class PathMiddleware:
    """Rejects paths that routes would match by mistake.

    Starlette's patterns end in `$`, which matches before a trailing line feed. They are matched against the decoded
    path, in which an encoded slash would separate segments (RFC 3986, section 2.2, says that it does not).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Raises HTTPException 404."""
        if scope["type"] == "http" and ("\n" in scope["path"] or b"%2f" in scope["raw_path"].lower()):
            raise HTTPException(404)
        await self._app(scope, receive, send)
