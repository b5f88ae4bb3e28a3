"""The base of most middleware: hooks for the beginning of a request, and for the head and the end of its response."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ResponseMiddleware:
    """Passes everything on, and calls these methods for HTTP requests. Subclasses override those that they need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def on_request(self, scope: Scope, /) -> None:
        """Do something before the request is passed on."""

    def on_response(self, scope: Scope, start: Message, /) -> None:
        """Read or change the message that begins the response: `status`, and `headers` as pairs of bytes."""

    def on_end(self, scope: Scope, /) -> None:
        """Do something after the response, whether or not the application inside raised an error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.on_response(scope, message)
            await send(message)

        self.on_request(scope)
        try:
            await self._app(scope, receive, send_observed)
        finally:
            self.on_end(scope)
