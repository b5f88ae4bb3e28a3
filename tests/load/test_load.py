"""The bench compares like with like: the limit and FastAPI respond to every measured request as this service does."""

import re
import shutil
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import orjson
import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.load import generator, operations, sender
from tests.load.data import OTHERS, READER, WRITER, load
from tests.load.generator import Load, exchange
from tests.load.operations import OPERATIONS, Operation
from tests.load.servers import FASTAPI, LIMIT, OURS, Server, running
from tests.support.postgres import new_database

# Fields that differ from one request to the next, or that only this service maintains.
VARYING = {"id", "created_at", "updated_at", "revision"}


@pytest.fixture(scope="module")
def url(postgres: str) -> str:
    """Return the URL of a database with the users of the bench, who have fewer tasks here."""
    made = new_database(postgres)
    migrate(made)
    load(made, {READER: 60, WRITER: 0} | dict.fromkeys(OTHERS, 10))
    with psycopg.connect(made, autocommit=True) as connection:
        connection.execute("UPDATE accounts SET revision = 1000 WHERE user_id = %s", [READER])
    return made


@pytest.fixture(scope="module")
def servers(url: str) -> Iterator[list[Server]]:
    """Yield this service, the limit and FastAPI."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(name, url)) for name in (OURS, LIMIT, FASTAPI)]


def comparable(content: Any) -> Any:
    """Replace the cursor of a page by a boolean, since only this service signs its cursors."""
    if isinstance(content, Mapping) and "tasks" in content:
        return {**content, "next_cursor": bool(content["next_cursor"])}
    return content


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_all_servers_return_the_same_response(
    servers: list[Server], url: str, operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "DELETED", 400)
    seen: list[Any] = []
    for server in servers:
        with psycopg.connect(url, autocommit=True) as connection:
            operation.prepare(connection)
        status, body = exchange(server.url, operation.requests(0)[0])
        assert status == operation.status, body
        seen.append(comparable(orjson.loads(body)) if body else None)
    if operation.name in ("post", "post-one", "patch"):
        seen = [{name: name in VARYING or value for name, value in task.items()} for task in seen]
    assert seen[0] == seen[1] == seen[2]


def test_every_server_rejects_a_request_without_a_token(servers: list[Server]) -> None:
    request = re.sub(rb"Authorization: [^\r]*\r\n", b"", OPERATIONS[0].requests(0)[0])
    assert [exchange(server.url, request)[0] for server in servers] == [401, 401, 401]


def test_every_patch_changes_its_task(servers: list[Server]) -> None:
    (patch,) = [one for one in OPERATIONS if one.name == "patch"]
    rounds = [*patch.requests(1), *patch.requests(1), *patch.requests(2)]
    last: dict[bytes, bytes] = {}
    for head, body in (request.split(b"\r\n\r\n") for request in rounds):
        assert last.get(head) != body
        last[head] = body
    revisions = [orjson.loads(exchange(servers[0].url, request)[1])["revision"] for request in rounds[:5]]
    assert min(revisions) > 10


def test_the_generator_in_python_counts_responses_and_errors(servers: list[Server]) -> None:
    request = OPERATIONS[0].requests(0)[0]
    good, bad = [request] * 150, [request.replace(b"Bearer ", b"Bearer no-")] * 50
    for server in servers:
        load = Load(**sender.send(server.url, good + bad, 5, connections=4, once=True))
        assert (load.requests, load.errors) == (200, 50), server.name
        assert 0 < load.p50 <= load.p99 < load.seconds * 1000 < 5000


def test_the_generator_in_python_counts_connections_that_close_without_a_response() -> None:
    class OneResponse(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.request.recv(65_536)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), OneResponse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        load = Load(**sender.send(url, [b"GET / HTTP/1.1\r\n\r\n"], 5, connections=4, once=False))
        server.shutdown()
    assert (load.requests, load.errors) == (4, 4)


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_wrk_sends_requests_in_turn_and_counts_errors(servers: list[Server]) -> None:
    request = OPERATIONS[0].requests(0)[0]
    bad = request.replace(b"Bearer ", b"Bearer no-")
    load = generator.send(servers[0].url, [request, request, request, bad], 1)
    # When time is up, one request on each connection is still without a response.
    assert abs(load.errors - load.requests / 4) <= generator.CONNECTIONS
    assert load.requests > 100
    with pytest.raises(RuntimeError, match="20 requests were too few"):
        generator.send(servers[0].url, [request] * 20, 1, once=True)
