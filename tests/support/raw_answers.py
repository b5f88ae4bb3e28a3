"""Checks what a test wrote to a socket and read from it, as requests and responses, against the contract."""

from collections.abc import Iterator
from contextlib import suppress

import h11
import httpx

from tests.support.conformance import check


def check_raw(sent: bytes, received: bytes) -> None:
    """Check the responses on one connection, up to the first bytes that are not an HTTP request (RFC 9112).

    Raises NotInContract if a response violates the contract, and h11.RemoteProtocolError if it is not HTTP.
    """
    while sent and received:
        request, sent = _read_request(sent)
        if request is None:
            return
        received = _check_response(received, request)


def _events(connection: h11.Connection) -> Iterator[h11.Event]:
    """Yield the events of one message, as far as its bytes have arrived."""
    while isinstance(event := connection.next_event(), h11.Event):
        yield event
        if isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return


def _read_request(sent: bytes) -> tuple[httpx.Request | None, bytes]:
    """Return the first request, or None if its head is incomplete or invalid, and the bytes that follow it."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(sent)
    head, rest = None, b""
    # The body may be invalid or incomplete even though the head is not.
    with suppress(h11.RemoteProtocolError):
        for event in _events(server):
            head = event if isinstance(event, h11.Request) else head
        rest, _ = server.trailing_data
    if head is None:
        return None, b""
    target = {"target": head.target}
    return httpx.Request(head.method.decode(), "http://server", headers=list(head.headers), extensions=target), rest


def _check_response(received: bytes, request: httpx.Request) -> bytes:
    """Check the response to a request, and return the bytes that follow it."""
    client = h11.Connection(h11.CLIENT)
    # Only the method of the request affects where its response ends.
    client.send(h11.Request(method=request.method, target="/", headers=[("Host", "server")]))
    client.send(h11.EndOfMessage())
    client.receive_data(received)
    client.receive_data(b"")
    events = list(_events(client))
    content = b"".join(event.data for event in events if isinstance(event, h11.Data))
    for head in events:
        if isinstance(head, h11.Response):
            stream = httpx.ByteStream(content)
            check(httpx.Response(head.status_code, headers=list(head.headers), stream=stream, request=request))
    return client.trailing_data[0]
