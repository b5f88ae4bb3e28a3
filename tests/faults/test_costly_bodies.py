"""Bodies that take long to parse, byte for byte: they cost little, and others are served before them."""

import socket
import time
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.client import mint
from tests.support.costs import LIVE, connect, processor_time, wait_until_idle
from tests.support.freezing import frozen
from tests.support.server import Service, start

KIB = 1024
MIB = 1024 * KIB
JSON = "POST /api/ada/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
OWN = f"{JSON}Authorization: Bearer {mint('ada')}\r\n"


def sized(body: bytes, head: str = JSON) -> bytes:
    """Return a request that announces the length of its body."""
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def batch(operation: bytes, count: int) -> bytes:
    """Return a request with so many equal operations."""
    body = b'{"mode": "atomic", "operations": [' + b",".join([operation] * count) + b"]}"
    return sized(body, OWN.replace("/tasks", "/batch"))


def members(count: int) -> bytes:
    """Return so many members of an object, which no schema names."""
    return b",".join(b'"%x": 1' % number for number in range(count))


def chunked(chunk: bytes, size: int, head: str = JSON) -> bytes:
    """Return a request whose body takes this many bytes, in equal chunks."""
    framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + framed * (size // len(framed)) + b"0\r\n\r\n"


def cost(service: Service, request: bytes) -> float:
    """Return the processor time that forty such requests take, each on a connection of its own; all are rejected."""
    before = processor_time(service)
    for _ in range(40):
        with connect(service) as client:
            client.sendall(request)
            assert client.recv(65_536).startswith(b"HTTP/1.1 401 ")
    return processor_time(service) - before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    "request_",
    [sized(b"\r\n\r\n" * (MIB // 4)), chunked(b"x", MIB), chunked(b"\r\n\r\n", MIB)],
    ids=["empty lines", "tiny chunks", "chunks of empty lines"],
)
def test_a_rejected_body_costs_little_more_than_a_plain_one(database: str, tmp_path: Path, request_: bytes) -> None:
    with start(tmp_path, DATABASE_URL=database) as service:
        plain = cost(service, sized(b"x" * MIB))
        # Half a second is for what differs from run to run; without a limit, forty take between two and five.
        assert cost(service, request_) < 5 * plain + 0.5


def processor_time_of(service: Service, request: bytes, count: int) -> float:
    """Return the processor time that so many requests take, one after the other; each is a 400."""
    before = processor_time(service)
    with connect(service) as client:
        for _ in range(count):
            client.sendall(request)
            response = HTTPResponse(client)
            response.begin()
            assert response.status == 400
            response.read()
    return processor_time(service) - before


EMPTY_TAGS = b",".join([b'""'] * 1001)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    "request_",
    [
        batch(b'{"op": "create", "task": {"title": "x", "tags": [' + EMPTY_TAGS + b"]}}", 100),
        batch(b'{"op": "create", ' + members(90_000) + b"}", 1),
    ],
    ids=["errors in each operation", "unknown members"],
)
def test_a_batch_full_of_errors_costs_little(database: str, tmp_path: Path, request_: bytes) -> None:
    """If the service looked for every error, each of the first would take eight seconds, and each of the others one."""
    with start(tmp_path, DATABASE_URL=database) as service:
        assert processor_time_of(service, request_, 10) < 2


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    "request_",
    [
        sized(b'{"title": "x", "tags": [' + EMPTY_TAGS + b"]}", OWN),
        f"GET /health/live?{'&'.join(map(str, range(9000)))} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    ],
    ids=["body", "query"],
)
def test_small_requests_full_of_errors_cost_little(database: str, tmp_path: Path, request_: bytes) -> None:
    """If the service looked for every error, each would take ten milliseconds."""
    with start(tmp_path, DATABASE_URL=database) as service:
        assert processor_time_of(service, request_, 1000) < 3


def statuses(service: Service) -> list[str]:
    """Return the status of each response, from the log of a service that has stopped."""
    return [line.split()[-3] for line in service.log.read_text().splitlines() if line.endswith(" ms")]


@pytest.mark.parametrize(
    "body",
    [sized(b"x" * 60 * KIB), chunked(b"x", 60 * KIB, OWN), chunked(b"\r\n\r\n", 60 * KIB, OWN)],
    ids=["plain", "tiny chunks", "chunks of empty lines"],
)
def test_a_short_request_is_answered_before_long_ones_that_arrived_with_it(
    database: str, tmp_path: Path, body: bytes
) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, ExitStack() as stack:
        clients = [stack.enter_context(connect(service)) for _ in range(9)]
        for client in clients:
            client.sendall(LIVE)
            client.recv(65_536)
        with frozen(service):
            for client in clients[:-1]:
                client.sendall(body)
            clients[-1].sendall(LIVE)
            time.sleep(0.2)
        for client in clients:
            client.recv(65_536)
    assert statuses(service)[-len(clients)] == "200"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
def test_many_endless_bodies_in_tiny_chunks_delay_others_little(database: str, tmp_path: Path) -> None:
    """How long others wait on an idle machine: the processor time that the service uses before it answers them."""
    with start(tmp_path, DATABASE_URL=database) as service:
        plain = delay(service, b"Content-Length: 60000\r\n\r\n" + b"x" * 30 * KIB)
        tiny = delay(service, b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5000)
        # Half a second is for what differs from run to run; with 16 KiB at once, it was three seconds more.
        assert tiny < 3 * plain + 0.5


def delay(service: Service, body: bytes) -> float:
    """Return the processor time between a request that arrives beside 300 incomplete ones and its answer."""
    head = f"DELETE /api/ada/tasks/{UUID(int=0)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mint('ada')}\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(service)) for _ in range(300)]
        with frozen(service):
            for client in clients:
                client.sendall(head.encode() + body)
            before = processor_time(service)
            last = stack.enter_context(connect(service))
            last.sendall(LIVE)
        assert last.recv(65_536).startswith(b"HTTP/1.1 200 ")
        return processor_time(service) - before


# It takes the service about 80 ms and 2 ms to normalise their text.
COSTLY = {
    "30 of 1 MiB": (
        30,
        batch(b'{"op": "create", "task": {"description": "a' + "\u0301\u0316".encode() * 2500 + b'"}}', 100),
    ),
    "400 of 16 KiB": (
        400,
        sized(b'{"description": "a' + "\u0301\u0316".encode() + "\u0390".encode() * 8080 + b'"}', OWN),
    ),
}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(("count", "request_"), COSTLY.values(), ids=COSTLY)
def test_others_are_served_between_large_bodies(database: str, tmp_path: Path, count: int, request_: bytes) -> None:
    """All of them end at once."""
    with start(tmp_path, DATABASE_URL=database) as service, ExitStack() as stack:
        clients = [stack.enter_context(connect(service)) for _ in range(count)]
        for client in clients:
            client.sendall(request_[:-1])
        wait_until_idle(service)
        with frozen(service):
            for client in clients:
                client.sendall(request_[-1:])
            before = processor_time(service)
            last = stack.enter_context(connect(service))
            last.sendall(LIVE)
        assert last.recv(65_536).startswith(b"HTTP/1.1 200 ")
        assert processor_time(service) - before < 1
        assert all(client.recv(65_536).startswith(b"HTTP/1.1 400 ") for client in clients)


@pytest.mark.parametrize("size", [100_000, 1000, 37])
def test_requests_after_a_chunked_body_are_served_in_turn(database: str, tmp_path: Path, size: int) -> None:
    data = (chunked(b"\r\n\r\n", 20 * KIB) + LIVE * 30 + sized(b"\r\n\r\n" * 5000) + LIVE * 30) * 2
    data += LIVE[:-2] + b"Connection: close\r\n\r\n"
    with start(tmp_path, DATABASE_URL=database) as service, connect(service) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin in range(0, len(data), size):
            client.sendall(data[begin : begin + size])
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    responses = [one[:3] for one in received.split(b"HTTP/1.1 ")[1:]]
    assert responses == [b"401", *[b"200"] * 30] * 4 + [b"200"]
