"""Exceptions become answers, whatever raised them."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.middleware.methods import Methods
from handlers.responses.problems import MEDIA_TYPE, Problem, logger, problem_of
from handlers.responses.response import respond
from storage.errors import Unavailable


class ExceptionMiddleware:
    """Answers with a problem document for every exception.

    Connexion's would make wrappers for each request that needs none: with its routing and its security, 23 µs.
    """

    def __init__(self, app: ASGIApp, methods: Methods) -> None:
        self._app = app
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer for it if that fails. Raises what comes after an answer has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if has_begun:
                raise
            await self._answer(scope, send, error)

    async def _answer(self, scope: Scope, send: Send, error: Exception) -> None:
        if isinstance(error, HTTPException) and error.status_code == 405:
            allow = {"Allow": self._methods.allow(scope["path"])}
            if scope["method"] == "OPTIONS":
                await respond(send, 204, allow, b"")
                return
            error = Problem(405, f"This path takes {allow['Allow']}.", headers=allow)
        problem = problem_of(error)
        request_id = scope["state"]["request_id"]
        if problem.status == 500:
            logger.error("request %s failed", request_id, exc_info=error, extra={"request_id": request_id})
        elif isinstance(error, Unavailable):
            logger.warning("request %s found no database: %s", request_id, error, extra={"request_id": request_id})
        content = problem.document(request_id)
        headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(content))}
        await respond(send, problem.status, problem.headers | headers, content)
