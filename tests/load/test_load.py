"""The bench compares like with like: its other servers respond to every measured request as this service does."""

import re
import shutil
import socketserver
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.load import generator, operations, sender
from tests.load.data import OTHERS, READER, WRITER, load
from tests.load.generator import Load, exchange
from tests.load.operations import OPERATIONS, Operation
from tests.load.servers import FASTAPI, FASTIFY, LIMIT, OURS, Server, running
from tests.support.better_auth import needs_node
from tests.support.postgres import new_database

# Fields that differ from one request to the next, or that only this service maintains.
VARYING = {"id", "completed_at", "created_at", "updated_at", "revision", "position"}
# The servers that validate requests.
VALIDATING = [FASTAPI, pytest.param(FASTIFY, marks=needs_node)]
INVALID: dict[str, Any] = {
    "no-title": {},
    "empty-title": {"title": ""},
    "blank-title": {"title": " "},
    "long-title": {"title": "x" * 201},
    "long-description": {"title": "x", "description": "x" * 10_001},
    "completed": {"title": "x", "completed": "perhaps"},
    "priority": {"title": "x", "priority": "Urgent"},
    "due-date": {"title": "x", "due_date": "2026-02-30"},
    "empty-tag": {"title": "x", "tags": [""]},
    "padded-tag": {"title": "x", "tags": ["x "]},
    "long-tag": {"title": "x", "tags": ["x" * 51]},
    "many-tags": {"title": "x", "tags": [str(number) for number in range(21)]},
    "unknown-member": {"title": "x", "owner": "x"},
}


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
def ours(url: str) -> Iterator[Server]:
    """Yield this service."""
    with running(OURS, url) as server:
        yield server


@pytest.fixture(scope="module", params=[LIMIT, *VALIDATING])
def other(url: str, request: pytest.FixtureRequest) -> Iterator[Server]:
    """Yield a server that this service is compared with: the limit, FastAPI or Fastify."""
    with running(request.param, url) as server:
        yield server


def comparable(content: Any) -> Any:
    """Replace the cursor of a page by a boolean, since only this service signs its cursors."""
    if isinstance(content, Mapping) and "tasks" in content:
        return {**content, "next_cursor": bool(content["next_cursor"])}
    return content


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if not one.own], ids=lambda one: one.name)
def test_both_servers_return_the_same_response(
    ours: Server, other: Server, url: str, operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "ONCE", 400)
    seen: list[Any] = []
    for server in (ours, other):
        with psycopg.connect(url, autocommit=True) as connection:
            operation.prepare(connection)
        status, body = exchange(server.url, operation.requests(0)[0])
        assert status == operation.status, body
        seen.append(comparable(orjson.loads(body)) if body else None)
    if operation.name in ("post", "post-one", "patch", "complete"):
        seen = [{name: bool(value) if name in VARYING else value for name, value in task.items()} for task in seen]
    assert seen[0] == seen[1]


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.own], ids=lambda one: one.name)
def test_this_service_carries_out_the_operations_that_it_alone_has(
    ours: Server, url: str, operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "ONCE", 400)
    with psycopg.connect(url, autocommit=True) as connection:
        operation.prepare(connection)
    requests = operation.requests(1)
    assert {exchange(ours.url, one)[0] for one in [*requests[:2], requests[-1]]} == {operation.status}


def test_both_servers_reject_a_request_without_a_token(ours: Server, other: Server) -> None:
    request = re.sub(rb"Authorization: [^\r]*\r\n", b"", OPERATIONS[0].requests(0)[0])
    assert [exchange(server.url, request)[0] for server in (ours, other)] == [401, 401]


@pytest.mark.parametrize("other", VALIDATING, indirect=True)
def test_both_servers_reject_another_users_token(ours: Server, other: Server) -> None:
    request = OPERATIONS[0].requests(0)[0].replace(READER.encode(), WRITER.encode(), 1)
    assert [exchange(server.url, request)[0] for server in (ours, other)] == [403, 403]


@pytest.mark.parametrize("other", VALIDATING, indirect=True)
@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID)
def test_both_servers_reject_the_same_bodies(ours: Server, other: Server, body: Any) -> None:
    request = operations.request("POST", WRITER, "/tasks", body)
    assert exchange(ours.url, request)[0] == 400
    assert exchange(other.url, request)[0] == (422 if other.name == FASTAPI else 400)


def test_every_patch_changes_its_task(ours: Server) -> None:
    (patch,) = [one for one in OPERATIONS if one.name == "patch"]
    rounds = [*patch.requests(1), *patch.requests(1), *patch.requests(2)]
    last: dict[bytes, bytes] = {}
    for head, body in (request.split(b"\r\n\r\n") for request in rounds):
        assert last.get(head) != body
        last[head] = body
    revisions = [orjson.loads(exchange(ours.url, request)[1])["revision"] for request in rounds[:5]]
    assert min(revisions) > 10


def test_the_generator_in_python_counts_responses_and_errors(ours: Server, other: Server) -> None:
    request = OPERATIONS[0].requests(0)[0]
    good, bad = [request] * 150, [request.replace(b"Bearer ", b"Bearer no-")] * 50
    for server in (ours, other):
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
def test_wrk_sends_requests_in_turn_and_counts_errors(ours: Server) -> None:
    request = OPERATIONS[0].requests(0)[0]
    bad = request.replace(b"Bearer ", b"Bearer no-")
    load = generator.send(ours.url, [request, request, request, bad], 1)
    # When time is up, one request on each connection is still without a response.
    assert abs(load.errors - load.requests / 4) <= generator.CONNECTIONS
    assert load.requests > 100
    with pytest.raises(RuntimeError, match="20 requests were too few"):
        generator.send(ours.url, [request] * 20, 1, once=True)
