"""A connection on which bytes are sent as they are, and answers are read one by one."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from tests.support.hostile.case import HOST, LIVE, Case, head

# Seconds of silence that are a hang. It measures nothing: most answers take a millisecond.
SILENCE = 1
# Follows each case, and is answered next exactly if the server sees the end of the case where it is.
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
        """Send cases in one go, only the last of which may end the connection; return the answers, and if it is kept.

        Raises TimeoutError when the server is silent.
        """
        # A server that has refused the beginning closes the connection on the rest.
        with suppress(ConnectionError):
            self._socket.sendall(b"".join(case.request for case in cases))
            if cases[-1].connection == "waits":
                self._socket.shutdown(socket.SHUT_WR)
            else:
                self._socket.sendall(_LAST)
        answers: list[httpx.Response] = []
        for answer in self._answers():
            if answer.headers["X-Request-ID"] == "last":
                return answers, True
            answers.append(answer)
        return answers, False

    def _answers(self) -> Iterator[httpx.Response]:
        with suppress(ConnectionError):
            while line := self._stream.readline():
                status = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [\w -]*\r\n", line)
                assert status is not None, line
                fields = (field.partition(b":") for field in iter(self._stream.readline, b"\r\n"))
                headers = httpx.Headers([(name, value.strip()) for name, _, value in fields])
                if status[1] != b"100":
                    content = self._stream.read(int(headers.get("Content-Length", 0)))
                    yield httpx.Response(int(status[1]), headers=headers, content=content)
