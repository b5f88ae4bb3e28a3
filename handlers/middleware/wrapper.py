"""The ASGI application around the contract: it begins each request, completes its response and logs it."""

import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.middleware.access_log import log
from handlers.middleware.errors import Errors
from handlers.middleware.request_id import request_id_of
from handlers.responses.state import RequestState, begin_request

OnResponse = Callable[[Scope, Message], None]
"""Reads or changes the message that begins a response: `status`, and `headers`, a list of pairs of bytes."""


class Wrapper:
    """Runs the functions of all concerns, in a single `send`.

    One wrapper for each concern took 4 µs more, of a request's 44.
    """

    def __init__(self, app: ASGIApp, *, on_response: Sequence[OnResponse], errors: Errors) -> None:
        """Wrap `app`. The functions in `on_response` are called in turn for each response."""
        self._app = app
        self._on_response = on_response
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises an error again if it was raised after the response had begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = RequestState(request_id_of(scope["headers"]), time.perf_counter())
        begin_request(scope, state)

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                state.status = message["status"]
                for complete in self._on_response:
                    complete(scope, message)
            await send(message)

        try:
            await self._app(scope, receive, send_completed)
        except Exception as error:
            await self._errors.send(scope, send_completed, error)
        finally:
            log(scope, state)
