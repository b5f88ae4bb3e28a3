"""Security headers, on every response (OWASP's REST security cheat sheet)."""

from starlette.types import Message, Scope

from handlers.responses.state import RawHeaders

_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
# RFC 6797. Not for subdomains, which may belong to somebody else.
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
# For responses that are not pages: if a browser shows one anyway, it runs no script, and no site can frame it.
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


def security_headers(*, production: bool) -> RawHeaders:
    """Return the headers of a response that is not a page; in production, they require TLS."""
    return [*_ALWAYS, *([_STRICT_TRANSPORT] if production else []), _POLICY]


class SecurityHeaders:
    """Adds the headers to a response; a page keeps its own Content-Security-Policy."""

    def __init__(self, headers: RawHeaders) -> None:
        """`headers` are those that `security_headers` returns."""
        self._headers = headers
        self._without_policy = [header for header in headers if header != _POLICY]

    def add(self, _scope: Scope, start: Message) -> None:
        """Add the headers."""
        has_policy = _POLICY[0] in dict(start["headers"])
        start["headers"] += self._without_policy if has_policy else self._headers
