"""A connection that sends raw bytes, and reads the responses one by one."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from tests.support.hostile.case import HOST, LIVE, Case, head

# Seconds of silence after which the server counts as hanging. Most responses take a millisecond.
SILENCE = 1
# Follows each case. Its response comes next only if the server found the end of the case in the right place.
_LAST = head(f"GET {LIVE} HTTP/1.1", HOST, b"X-Request-ID: last")


class Connection:
    """One connection to a server."""

    def __init__(self, server: str) -> None:
        address = urlsplit(server)
        self._socket = socket.create_connection((str(address.hostname), address.port or 80), timeout=SILENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def exchange(self, *cases: Case) -> tuple[list[httpx.Response], bool]:
        """Send cases at once, and return the responses and whether the server kept the connection.

        Only the last case may close the connection. Raises TimeoutError if the server is silent.
        """
        # A server that rejects the first bytes may close the connection before it reads the rest.
        with suppress(ConnectionError):
            self._socket.sendall(b"".join(case.request for case in cases))
            if cases[-1].connection == "waits":
                self._socket.shutdown(socket.SHUT_WR)
            else:
                self._socket.sendall(_LAST)
        responses: list[httpx.Response] = []
        for response in self._responses():
            if response.headers["X-Request-ID"] == "last":
                return responses, True
            responses.append(response)
        return responses, False

    def _responses(self) -> Iterator[httpx.Response]:
        with suppress(ConnectionError):
            while line := self._stream.readline():
                status = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [\w -]*\r\n", line)
                assert status is not None, line
                fields = (field.partition(b":") for field in iter(self._stream.readline, b"\r\n"))
                headers = httpx.Headers([(name, value.strip()) for name, _, value in fields])
                if status[1] != b"100":
                    content = self._stream.read(int(headers.get("Content-Length", 0)))
                    yield httpx.Response(int(status[1]), headers=headers, content=content)
