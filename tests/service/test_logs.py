"""Logs: JSON in production, one line for each request, and no text written by a user."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from handlers import __version__
from tests.support.client import Json, User
from tests.support.postgres import new_database, postmaster, private_postgres
from tests.support.server import Service, command, environment, free_port, send_raw, start

PRODUCTION = {"ENVIRONMENT": "production", "HOST": "127.0.0.1"}
REQUEST = {"time", "level", "logger", "message"} | {
    "method", "route", "status", "duration_ms", "request_id", "user_id", "client"
}  # fmt: skip
TASKS = "/api/{user_id}/tasks"
FOREIGN = {"Origin": "https://x.example", "Access-Control-Request-Method": "GET"}


def records(service: Service) -> list[Json]:
    """Return the records that a service has logged, a JSON object on each line."""
    return [json.loads(line) for line in service.log.read_text().splitlines()]


def record_of(service: Service, response: httpx.Response) -> Json:
    """Return the one record of a request."""
    return request_record(service, response.headers["X-Request-ID"])


def request_record(service: Service, request_id: str) -> Json:
    """Return the one record of the request with this id. It is written after the response has been sent."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = [one for one in records(service) if one.get("request_id") == request_id and "duration_ms" in one]
        if found:
            assert len(found) == 1
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(request_id)


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service in production that trusts a proxy on 127.0.0.2."""
    settings = {"DATABASE_URL": database, "FORWARDED_ALLOW_IPS": "127.0.0.2,10.0.0.0/8", **PRODUCTION}
    with start(tmp_path_factory.mktemp("logs"), **settings) as service:
        yield service


@pytest.fixture
def ada(service: Service) -> Iterator[User]:
    """Yield a user of the service."""
    with User(service.url, "ada") as ada:
        yield ada


def test_a_request_is_logged_as_a_line_of_json(service: Service, ada: User) -> None:
    record = record_of(service, ada.get("/tasks", headers={"X-Request-ID": "from-the-client"}))
    assert record.keys() == REQUEST
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", record.pop("time"))
    assert 0 < record.pop("duration_ms") < 5000
    assert record.pop("message").startswith(f"GET {TASKS} 200 ")
    assert record == {
        "level": "INFO",
        "logger": "handlers.telemetry.logs",
        "method": "GET",
        "route": TASKS,
        "status": 200,
        "request_id": "from-the-client",
        "user_id": "ada",
        "client": "127.0.0.1",
    }


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/health", {}, ("/health", 200, None)),
        ("HEAD", "/openapi.json", {}, ("/openapi.json", 200, None)),
        ("GET", "/nothing/here", {}, (None, 404, None)),
        ("PUT", "/health", {}, (None, 405, None)),
        ("GET", "/api/ada/tasks", {}, (TASKS, 401, None)),
        ("OPTIONS", "/api/ada/tasks", FOREIGN, (None, 400, None)),
    ],
)
def test_a_rejected_request_is_logged(
    service: Service, method: str, path: str, headers: dict[str, str], expected: tuple[str | None, int, None]
) -> None:
    record = record_of(service, httpx.request(method, service.url + path, headers=headers))
    assert (record["route"], record["status"], record["user_id"]) == expected
    assert record["method"] == method


def test_a_request_for_another_user_is_logged(service: Service, ada: User) -> None:
    record = record_of(service, ada.http.get("/api/grace/tasks"))
    assert (record["route"], record["status"], record["user_id"]) == (TASKS, 403, "ada")


def test_a_request_that_is_not_http_is_logged(service: Service) -> None:
    request_id = re.search(rb"x-request-id: (\w+)", send_raw(service.url, b"NONSENSE\r\n\r\n"))
    assert request_id is not None
    record = request_record(service, request_id[1].decode())
    assert record.keys() == REQUEST
    assert (record["method"], record["route"], record["status"], record["client"]) == (None, None, 400, "127.0.0.1")
    assert record["message"] == "- - 400 0.0 ms"


@pytest.mark.parametrize(("proxy", "client"), [("127.0.0.2", "203.0.113.9"), ("127.0.0.1", "127.0.0.1")])
def test_the_client_is_taken_only_from_a_trusted_proxy(service: Service, proxy: str, client: str) -> None:
    transport = httpx.HTTPTransport(local_address=proxy)
    with httpx.Client(transport=transport, base_url=service.url) as http:
        response = http.get("/health", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.1.2.3"})
    assert record_of(service, response)["client"] == client


@pytest.mark.parametrize("text", ["ada@example.com", "unknown", "x" * 50_000, ""])
def test_text_that_is_not_an_address_is_not_logged_as_the_client(service: Service, text: str) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport, base_url=service.url) as http:
        response = http.get("/health", headers={"X-Forwarded-For": text})
    assert record_of(service, response)["client"] in (None, "127.0.0.2")


def test_startup_is_logged_in_one_line_without_the_password(database: str, tmp_path: Path) -> None:
    url = database.replace("postgres@", "postgres:hunter2hunter2@")
    assert url != database
    with start(tmp_path, DATABASE_URL=url, WEB_CONCURRENCY="2", **PRODUCTION) as service:
        greetings = [one["message"] for one in records(service) if one["message"].startswith("Todo API")]
        name = urlsplit(url).path.strip("/")
    assert len(greetings) == 1
    assert re.fullmatch(
        rf"Todo API {re.escape(__version__)} on {service.url}, database {name} on /\S+ as postgres, 2 workers",
        greetings[0],
    )
    assert "hunter2" not in service.log.read_text()


def test_records_of_uvicorn_and_psycopg_have_the_same_format(tmp_path: Path) -> None:
    with private_postgres() as url, start(tmp_path, DATABASE_URL=url, **PRODUCTION) as service:
        httpx.get(f"{service.url}/health")
        os.kill(postmaster(url), signal.SIGINT)
        time.sleep(0.5)
        httpx.get(f"{service.url}/health", timeout=10)
        service.stop()
        loggers = {one["logger"].partition(".")[0] for one in records(service)}
    assert loggers >= {"uvicorn", "psycopg", "storage", "handlers"}


def test_an_outage_is_logged_with_its_reason_but_not_at_each_attempt_to_connect(tmp_path: Path) -> None:
    with private_postgres() as url, start(tmp_path, DATABASE_URL=url, **PRODUCTION) as service:
        os.kill(postmaster(url), signal.SIGINT)
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            httpx.get(f"{service.url}/health", timeout=10)
        service.stop()
        logged = [one["message"] for one in records(service) if one["logger"] == "psycopg.pool"]
    assert [one.startswith("error connecting in 'todo-api': connection failed: ") for one in logged].count(True) == 1
    # Each of the two pools discards a connection, and the database says that it is shutting down.
    assert len(logged) <= 5


def test_no_record_contains_a_token_or_text_written_by_a_user(database: str, tmp_path: Path) -> None:
    private = "privatissimum"
    settings = {"DATABASE_URL": database, "LOG_LEVEL": "debug", **PRODUCTION}
    with start(tmp_path, **settings) as service, User(service.url, "discreet") as user:
        task = user.create(private, description=private, tags=[private])
        user.patch(task["id"], {"title": f"{private} too"})
        user.get("/tasks", params={"search": private, "tags": private, "cursor": private})
        user.get("/tasks", params={private: private})
        user.http.get(f"/{private}?{private}")
        httpx.get(f"{service.url}/api/discreet/tasks", headers={"Authorization": f"Bearer {private}"})
        service.stop()
        log = service.log.read_text()
    assert "discreet" in log
    assert private not in log
    assert "eyJ" not in log


def test_an_unexpected_error_is_logged_once_with_a_traceback_and_without_the_row(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with start(tmp_path, DATABASE_URL=url, **PRODUCTION) as service, User(service.url, "ada") as ada:
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE tasks ADD CONSTRAINT never CHECK (title = '')")
        # The client checks every response against the contract, which declares no 500: switch that off.
        ada.http.event_hooks = {}
        response = ada.request("POST", "/tasks", json={"title": "privatissimum"})
        assert record_of(service, response)["status"] == response.status_code == 500
        faults = [one for one in records(service) if "exception" in one]
    assert len(faults) == 1
    assert (faults[0]["level"], faults[0]["request_id"]) == ("ERROR", response.headers["X-Request-ID"])
    assert faults[0]["exception"].startswith("Traceback (most recent call last):\n")
    assert faults[0]["exception"].endswith('new row for relation "tasks" violates check constraint "never"\n')
    assert "privatissimum" not in service.log.read_text()


def test_the_service_keeps_running_when_logs_cannot_be_written(database: str, tmp_path: Path) -> None:
    port = str(free_port())
    settings = environment(DATABASE_URL=database, PORT=port, **PRODUCTION)
    with Path("/dev/full").open("w") as full, (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(command("serve"), cwd=tmp_path, env=settings, stdout=full, stderr=errors)
        deadline = time.monotonic() + 20
        status = None
        while status is None and time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                status = httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code
        process.terminate()
        # Python's exit status when it cannot flush standard output.
        assert process.wait(20) == 120
    assert status == 200
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_lines_are_written_together_in_pieces_that_a_pipe_takes_whole(database: str, tmp_path: Path) -> None:
    port = free_port()
    settings = environment(DATABASE_URL=database, PORT=str(port), **PRODUCTION)
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    # This kind of socket turns each write into a message, so that the test sees how lines were grouped.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command("serve"), cwd=tmp_path, env=settings, stdout=theirs.fileno())
        )
        stack.callback(process.terminate)
        ours.settimeout(20)
        while b"Uvicorn running" not in ours.recv(65_536):
            pass
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)]
        for client in clients:
            client.sendall(request)
            assert client.recv(65_536)
            assert ours.recv(65_536)
        process.send_signal(signal.SIGSTOP)
        for client in clients:
            client.sendall(request)
        process.send_signal(signal.SIGCONT)
        pieces: list[bytes] = []
        while sum(piece.count(b"\n") for piece in pieces) < len(clients):
            pieces.append(ours.recv(65_536))
    assert len(pieces) < len(clients)
    assert max(map(len, pieces)) <= 4096
    for line in b"".join(pieces).splitlines():
        assert json.loads(line)["status"] == 200


def test_json_logs_are_utf_8_whatever_the_encoding_of_standard_output(database: str, tmp_path: Path) -> None:
    settings = environment(DATABASE_URL=database, PYTHONIOENCODING="ascii", **PRODUCTION)
    url = f"http://127.0.0.1:{settings['PORT']}"
    with (
        subprocess.Popen(command("serve"), cwd=tmp_path, env=settings, stdout=subprocess.PIPE) as process,
        User(url, "jürgen") as juergen,
        User(url, "ada") as ada,
    ):
        assert process.stdout is not None
        assert any(b"Uvicorn running" in line for line in process.stdout)
        assert [user.get("/tasks").status_code for user in (juergen, ada)] == [200, 200]
        process.terminate()
        lines = process.stdout.read().decode().splitlines()
    assert [json.loads(line)["user_id"] for line in lines if "GET /api" in line] == ["jürgen", "ada"]


def test_records_below_the_level_are_left_out(database: str, tmp_path: Path) -> None:
    with start(tmp_path, DATABASE_URL=database, LOG_LEVEL="warning", **PRODUCTION) as service:
        httpx.get(f"{service.url}/health")
        service.stop()
    assert service.log.read_text() == ""


def test_development_logs_are_text_and_coloured_in_a_terminal(database: str, tmp_path: Path) -> None:
    with start(tmp_path, DATABASE_URL=database) as service:
        httpx.get(f"{service.url}/health")
        service.stop()
    assert re.search(r"^\d\d:\d\d:\d\d INFO:     GET /health 200 [0-9.]+ ms$", service.log.read_text(), re.MULTILINE)
    assert "Todo API" in in_terminal("serve", directory=tmp_path, settings={"DATABASE_URL": database})


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/api/tasks?a=b", "/api/tasks"), ("/%0A", "/%0A"), ("/" + "a" * 5000, "/" + "a" * 199)],
)
def test_in_development_a_path_without_a_route_is_logged(database: str, tmp_path: Path, path: str, shown: str) -> None:
    with start(tmp_path, DATABASE_URL=database) as service:
        send_raw(service.url, f"PATCH {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        service.stop()
    assert f" PATCH {shown} 404 " in service.log.read_text()


def in_terminal(*arguments: str, directory: Path, settings: dict[str, str]) -> str:
    """Run `todo-api` in a terminal until it has started, and return what it shows, which must be coloured."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), cwd=directory, env=environment(**settings), stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    shown = b""
    while b"running on" not in shown:
        shown += os.read(ours, 65_536)
    process.terminate()
    process.wait(20)
    os.close(ours)
    assert b"\x1b[32mINFO\x1b[0m" in shown
    return shown.decode()
