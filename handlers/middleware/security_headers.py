"""Security headers, on every answer (OWASP's REST security cheat sheet)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
# For what is no page: should a browser show it all the same, it runs nothing and nobody frames it.
POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# RFC 6797. Not for subdomains: they may be somebody else's.
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeadersMiddleware:
    """Adds the headers; a page that brings its own Content-Security-Policy keeps it."""

    def __init__(self, app: ASGIApp, *, production: bool) -> None:
        self._app = app
        self._headers = SECURITY_HEADERS + ([_STRICT_TRANSPORT] if production else [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and mark its answer."""

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                policy = [] if any(name == POLICY[0] for name, _ in headers) else [POLICY]
                message["headers"] = [*headers, *self._headers, *policy]
            await send(message)

        await self._app(scope, receive, send_secured if scope["type"] == "http" else send)
