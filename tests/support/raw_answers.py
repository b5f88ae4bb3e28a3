"""What a test wrote to a socket and what came back: read as requests and their answers, and checked as any other."""

from collections.abc import Iterator
from contextlib import suppress

import h11
import httpx

from tests.support.conformance import check


def check_raw(sent: bytes, received: bytes) -> None:
    """Hold the answers of one connection to the contract, up to what is no HTTP request (RFC 9112).

    Raises NotInContract, and h11.RemoteProtocolError for what is no HTTP answer.
    """
    while sent and received:
        request, sent = _read_request(sent)
        if request is None:
            return
        received = _check_answer(received, request)


def _events(connection: h11.Connection) -> Iterator[h11.Event]:
    """Yield what there is of one message."""
    while isinstance(event := connection.next_event(), h11.Event):
        yield event
        if isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return


def _read_request(sent: bytes) -> tuple[httpx.Request | None, bytes]:
    """Return the first request, and what comes after it; None where there is no head of one."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(sent)
    head, rest = None, b""
    # A body may be broken, or be left off, where the head is whole.
    with suppress(h11.RemoteProtocolError):
        for event in _events(server):
            head = event if isinstance(event, h11.Request) else head
        rest, _ = server.trailing_data
    if head is None:
        return None, b""
    target = {"target": head.target}
    return httpx.Request(head.method.decode(), "http://server", headers=list(head.headers), extensions=target), rest


def _check_answer(received: bytes, request: httpx.Request) -> bytes:
    """Check the answer to a request, and return what comes after it."""
    client = h11.Connection(h11.CLIENT)
    # Of the request, its method alone says where an answer ends.
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
