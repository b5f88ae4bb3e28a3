"""A proxy to the service that loses requests and answers, cuts answers off, sends requests twice, and ends streams."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

# How often each fault occurs. All other requests are passed on.
FAULTS = {"lose the request": 0.1, "lose the answer": 0.1, "cut the answer": 0.05, "double the request": 0.15}
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_address: ClassVar[tuple[str, int]]
    chance: ClassVar[random.Random]

    def handle_one_request(self) -> None:
        """Serve a request; the client may have gone."""
        with suppress(OSError, HTTPException):
            super().handle_one_request()
            return
        self.close_connection = True

    def do_GET(self) -> None:
        """Pass on a read."""
        self._pass_on()

    def do_POST(self) -> None:
        """Pass on a write."""
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        (fault,) = self.chance.choices([*FAULTS, ""], [*FAULTS.values(), 1 - sum(FAULTS.values())])
        if fault == "lose the request":
            self.close_connection = True
            return
        if fault == "double the request" and not self.path.partition("?")[0].endswith("/events"):
            with closing(self._forward(body)) as first:
                first.read()
        with closing(self._forward(body)) as answer:
            self._answer(answer, fault)

    def _forward(self, body: bytes) -> HTTPResponse:
        server = HTTPConnection(*self.server_address, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_CONNECTION}
        server.request(self.command, self.path, body or None, headers | {"Connection": "close"})
        return server.getresponse()

    def _answer(self, answer: HTTPResponse, fault: str) -> None:
        if fault == "lose the answer":
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        if answer.getheader("content-type", "").startswith("text/event-stream"):
            self._stream(answer, cut=fault == "cut the answer")
            return
        content = answer.read()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "cut the answer":
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    def _stream(self, answer: HTTPResponse, *, cut: bool) -> None:
        """Pass on a stream for up to two seconds, and end it, with or without the last chunk (RFC 9112, 7.1)."""
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        until = time.monotonic() + self.chance.uniform(0, 2)
        while time.monotonic() < until and (data := answer.read1(65_536)):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if not cut:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def lossy_proxy(server: str, seed: int) -> Iterator[str]:
    """Run a proxy to a service, and yield its base URL."""
    parts = urlsplit(server)
    settings = {"server_address": (parts.hostname, parts.port), "chance": random.Random(seed)}  # noqa: S311
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Proxy", (_Proxy,), settings)) as proxy:
        proxy.daemon_threads = True
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}"
        finally:
            proxy.shutdown()
            thread.join()
