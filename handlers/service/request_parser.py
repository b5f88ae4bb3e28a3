"""The part of uvicorn's HTTP/1.1 protocol that parses requests, adapted to RFC 9110 and RFC 9112.

It is stricter in some points, and more lenient in others. The docstring of an override says what it prevents, and which
test fails without it.
"""

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from handlers.responses.problems import Problem, invalid_input
from handlers.service.connections import Connections
from handlers.service.one_at_a_time import LARGE
from handlers.service.request_head import (
    MAX_FIELDS,
    TOO_LARGE,
    TOO_MANY_FIELDS,
    HeadError,
    check_head,
    head_without_upgrade,
    is_too_large,
)
from handlers.service.response_cycle import ResponseCycle

_INVALID = "is not valid HTTP"


class RequestParser(HttpToolsProtocol):
    """Limits and checks a request's head, ignores Upgrade, and refuses invalid HTTP."""

    cycle: ResponseCycle
    server_state: Connections
    _head_size = 0

    def refuse(self, problem: Problem) -> None:
        """Reject the rest of what arrives on the connection."""
        raise NotImplementedError

    async def serve_in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request with a large head when it is its turn, unless its client is gone by then."""
        raise NotImplementedError

    def parse(self, data: bytes) -> None:
        """Parse the data.

        Limits the size of heads, and prevents bytes after an Upgrade from being read as another request:
        `tests/contract/test_hostile_corpus.py`, cases of `framing`.
        """
        self._head_size += len(data)
        try:
            while data:
                data = self._parse(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, HeadError):
                self._refuse_head(str(cause))
            elif self.cycle is not None and self.cycle.more_body:
                self.refuse(invalid_input([{"in": "body", "pointer": "", "detail": _INVALID}]))
            else:
                self._refuse_head(_INVALID)
        else:
            if is_too_large(self._head_size):
                self._refuse_head(TOO_LARGE)

    def _parse(self, data: bytes) -> bytes:
        """Parse bytes, and return those to be parsed next: none, except after an Upgrade."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_upgrade(data[upgrade.args[0] :])
        return b""

    def _without_upgrade(self, rest: bytes) -> bytes:
        """Return the request without its Upgrade header, for a new parser."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self._refuse_head("must not use CONNECT, which is for proxies")
            return b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return head_without_upgrade(method, self.url, version, self.headers) + rest

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a field, of the head or of a trailer. Raises HeadError.

        Prevents small fields from taking many times the memory of their bytes: `tests/contract/test_hostile_input.py`.
        """
        if len(self.headers) == MAX_FIELDS:
            raise HeadError(TOO_MANY_FIELDS)
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Start the request, or have it parsed again if it asks to upgrade. Raises HeadError.

        Rejects requests that RFC 9112 lets a server reject. Prevents blanks after a value from becoming part of it
        (RFC 9112, section 5.1), and trailers from counting as headers (RFC 9110, section 6.5.1):
        `tests/contract/test_hostile_corpus.py`, cases of `framing` and `targets`.
        """
        self._head_size = 0
        if not self.parser.should_upgrade():
            # The list is changed in place because the request's scope has it too; trailers go into another list.
            self.headers[:] = [(name, value.rstrip(b" \t")) for name, value in self.headers]
            size = check_head(self.parser.get_http_version(), self.url, self.headers)
            self.app = self.serve_in_turn if size > LARGE else self.config.loaded_app
            self.expect_100_continue = any(n == b"expect" and v.lower() == b"100-continue" for n, v in self.headers)
            super().on_headers_complete()
            self.cycle.__class__ = ResponseCycle
            self.cycle.waiting = self.pipeline
            self.cycle.large_requests = self.server_state.large_requests
            self.cycle.one_at_a_time = self.server_state.one_at_a_time
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body.

        Prevents the bytes of a body from counting towards the limit for a head:
        `tests/contract/test_hostile_corpus.py`, cases of `bodies`.
        """
        self._head_size = 0
        self.cycle.note(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request, unless it will be parsed again.

        Prevents a request with Upgrade from being served before its body has arrived:
        `tests/contract/test_hostile_corpus.py`, cases of `framing`.
        """
        self._head_size = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()
            if not self.cycle.response_complete:
                self.server_state.occupied(self)

    def _refuse_head(self, words: str) -> None:
        """Reject what cannot be parsed; `words` are the end of a sentence about the head."""
        self.refuse(invalid_input([{"in": "header", "detail": words}]))
