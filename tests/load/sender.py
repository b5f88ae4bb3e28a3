"""A load generator in Python, for machines without wrk. It parses only enough of a response to find its end."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Tally:
    """Latencies in seconds and the number of errors, shared by all connections."""

    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self.requests = requests
        self.deadline = deadline
        self.latencies: list[float] = []
        self.errors = 0


class _Connection(asyncio.Protocol):
    """A connection that sends the next request once the previous one has its response."""

    def __init__(self, tally: _Tally) -> None:
        self._tally = tally
        self._received = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        request = next(self._tally.requests, None) if self._sent < self._tally.deadline else None
        self._is_waiting = request is not None
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return
        self._received = b""
        self._tally.latencies.append(time.perf_counter() - self._sent)
        self._tally.errors += head[9:10] not in b"23"
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._tally.errors += self._is_waiting
        self.closed.set_result(None)


def send(url: str, requests: Sequence[bytes], seconds: float, *, connections: int, once: bool) -> dict[str, Any]:
    """Send requests in turn for `seconds`, and return the fields of a `Load`."""
    return uvloop.run(_send(url, iter(requests) if once else cycle(requests), seconds, connections))


async def _send(url: str, requests: Iterator[bytes], seconds: float, connections: int) -> dict[str, Any]:
    address = urlsplit(url)
    started = time.perf_counter()
    tally = _Tally(requests, started + seconds)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(tally), str(address.hostname), address.port or 80)
        for _ in range(connections)
    ]
    await asyncio.wait([protocol.closed for _, protocol in made], timeout=seconds + 5)
    percentiles = quantiles(tally.latencies, n=100)
    return {
        "requests": len(tally.latencies),
        "seconds": time.perf_counter() - started,
        "p50": percentiles[49] * 1000,
        "p99": percentiles[98] * 1000,
        "errors": tally.errors + sum(not protocol.closed.done() for _, protocol in made),
    }
