"""The clients of open streams and of requests that wait, thousands in one process: they only read and count."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

# How many connections are opened at once.
_SLICE = 50
# From one address, Linux allows 28,000 connections to a server, and fewer while it remembers those that have ended.
_PER_ADDRESS = 5_000
_READY_SECONDS = 30
_DATA = b"data: "


class Stream(asyncio.Protocol):
    """A stream of events. `arrivals` has the time (perf_counter) and the revision of each `changed`."""

    def __init__(self, request: bytes) -> None:
        """`request` is sent once there is a connection; `ready` is done once the stream is."""
        self._request, self._received = request, b""
        self.arrivals: list[tuple[float, int]] = []
        self.is_open = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Handle the lines that are complete."""
        now = time.perf_counter()
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            if line.startswith(_DATA):
                self._handle(orjson.loads(line.removeprefix(_DATA)), now)
            elif line.startswith(b"HTTP/1.1 ") and line[9:12] != b"200":
                self.ready.set_exception(RuntimeError(f"A stream was refused: {data!r}"))

    def _handle(self, event: dict[str, Any], now: float) -> None:
        if event["type"] == "changed":
            self.arrivals.append((now, event["revision"]))
        elif event["type"] == "ready":
            self.is_open = True
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note that the stream has ended."""
        self.is_open = False
        if not self.ready.done():
            self.ready.set_exception(RuntimeError("A stream ended before it was ready."))

    def close(self) -> None:
        """Disconnect at once."""
        self._transport.abort()


class Channel:
    """A persistent connection for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, message: bytes) -> bytes:
        """Send a request, and return the body of its response. Raises RuntimeError if its status is not 2xx."""
        self._writer.write(message)
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await self._reader.readexactly(int(fields[b"content-length"]))
        if head[9:10] != b"2":
            raise RuntimeError(f"{message[:60]!r} failed: {head + body!r}")
        return body

    def close(self) -> None:
        """Disconnect at once."""
        self._writer.transport.abort()


@asynccontextmanager
async def streaming(url: str, requests: Sequence[bytes]) -> AsyncIterator[list[Stream]]:
    """Open a stream for each request, yield them once all are ready, and close them at the end.

    Raises RuntimeError if a stream does not become ready, or has ended before the end.
    """
    streams: list[Stream] = []
    try:
        for some in _slices(range(len(requests))):
            streams += await asyncio.gather(*(_open_stream(url, requests[number], number) for number in some))
            async with asyncio.timeout(_READY_SECONDS):
                await asyncio.gather(*(streams[number].ready for number in some))
        yield streams
        if lost := sum(not one.is_open for one in streams):
            raise RuntimeError(f"{lost} of {len(streams)} streams have ended.")
    finally:
        for one in streams:
            one.close()


@asynccontextmanager
async def channels(url: str, count: int) -> AsyncIterator[list[Channel]]:
    """Yield so many connections."""
    found: list[Channel] = []
    try:
        for some in _slices(range(count)):
            found += await asyncio.gather(*(_open_channel(url, number) for number in some))
        yield found
    finally:
        for one in found:
            one.close()


@asynccontextmanager
async def waiting(url: str, requests: Sequence[bytes]) -> AsyncIterator[None]:
    """Send each request on a connection of its own, again and again. Raises RuntimeError at the end if one failed."""
    async with channels(url, len(requests)) as connections:
        tasks = [asyncio.create_task(_repeat(one, message)) for one, message in zip(connections, requests, strict=True)]
        try:
            yield
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(channel: Channel, message: bytes) -> None:
    while True:
        await channel.send(message)


async def _open_stream(url: str, message: bytes, number: int) -> Stream:
    stream = Stream(message)
    create: Callable[..., Any] = asyncio.get_running_loop().create_connection
    await create(lambda: stream, **_address(url, number))
    return stream


async def _open_channel(url: str, number: int) -> Channel:
    connect: Callable[..., Any] = asyncio.open_connection
    return Channel(*await connect(**_address(url, number)))


def _address(url: str, number: int) -> dict[str, Any]:
    """Return where a connection goes and comes from; on Linux, all of 127.0.0.0/8 is this machine."""
    parts = urlsplit(url)
    return {"host": parts.hostname, "port": parts.port, "local_addr": (f"127.0.0.{1 + number // _PER_ADDRESS}", 0)}


def _slices(numbers: range) -> list[range]:
    return [numbers[start : start + _SLICE] for start in range(0, len(numbers), _SLICE)]
