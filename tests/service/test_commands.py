"""The command `todo-api`: serve, migrate, token, and the errors that commands report."""

import os
import re
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.support.client import User
from tests.support.raw_answers import check_raw
from tests.support.server import SECRET, Service, has_ended, run, start

ADDRESS_WITHOUT_DATABASE = "postgresql://ada:hunter2hunter2@127.0.0.1:1/todo"


def claims(token: str, **options: str) -> dict[str, object]:
    """Return the claims of a token, with its signature verified."""
    return jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_aud": False}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--help",),
            ("serve", "migrate", "distribute", "purge", "reset-sync", "recompute", "token", "doctor"),
        ),
        (
            ("--help",),
            ("DATABASE_URL", ".env", "Better Auth"),
        ),
        (("serve", "--help"), ("Ctrl-C", "SIGTERM", "Migrate")),
        (("migrate", "--help"), ("database",)),
        (("distribute", "--help"), ("Citus", "one transaction", "Requests")),
        (("purge", "--help"), ("TRASH_RETENTION_DAYS", "IDEMPOTENCY_RETENTION_DAYS", "restored")),
        (("reset-sync", "--help"), ("restored", "410", "again")),
        (("recompute", "--help"), ("tzdata", "time zone", "revision")),
        (("doctor", "--help"), ("configuration", "database", "status", "--token", "standard input")),
        (("token", "--help"), ("USER", "--expires", "1h", "curl")),
    ],
)
def test_help_describes_each_command(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    shown = run(*arguments, directory=tmp_path, settings={})
    assert shown.returncode == 0
    for word in words:
        assert word in shown.stdout


def test_a_token_is_what_the_frontend_would_mint(tmp_path: Path, server: str) -> None:
    user_id = f"ada-{uuid4().hex}"
    token = run("token", user_id, directory=tmp_path, settings={}).stdout.strip()
    said = claims(token)
    assert (said["sub"], said["iss"], said["aud"]) == (user_id, "nextjs-frontend", "fastapi-backend")
    assert said.keys() == {"sub", "email", "name", "iat", "exp", "iss", "aud"}
    answer = httpx.get(f"{server}/api/{user_id}/tasks", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


def test_a_token_speaks_for_its_user_and_for_nobody_else(tmp_path: Path) -> None:
    said = claims(run("token", "ada", directory=tmp_path, settings={}).stdout.strip())
    assert (said["name"], said["email"]) == ("ada", "ada@example.com")


@pytest.mark.parametrize(("expires", "seconds"), [("30m", 1800), ("45s", 45), ("2d", 172_800)])
def test_a_token_is_valid_as_long_as_the_option_says(tmp_path: Path, expires: str, seconds: int) -> None:
    asked = int(time.time())
    said = claims(run("token", "ada", "--expires", expires, directory=tmp_path, settings={}).stdout.strip())
    assert 0 <= int(str(said["exp"])) - asked - seconds < 30


@pytest.mark.parametrize("expires", ["", "1", "h", "-1h", "0s", "1 h", "1w", "1.5h", "\u0661h"])
def test_a_duration_is_a_number_and_a_unit(tmp_path: Path, expires: str) -> None:
    refused = run("token", "ada", "--expires", expires, directory=tmp_path, settings={})
    assert refused.returncode == 2
    assert "must be a number and a unit, such as 30m, 1h or 7d" in refused.stderr


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (b"", "must not be empty"),
        (b"a/b", "must be text without control characters and without a slash"),
        (b"a\nb", "must be text without control characters and without a slash"),
        (b"x" * 256, "must have at most 255 characters"),
        (b"\xff", "must be UTF-8"),
    ],
)
def test_a_token_is_for_a_user_that_the_contract_allows(tmp_path: Path, user: bytes, words: str) -> None:
    refused = run("token", os.fsdecode(user), directory=tmp_path, settings={})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert words in refused.stderr


def test_a_token_has_the_issuer_and_the_audience_that_the_server_expects(tmp_path: Path) -> None:
    settings = {"JWT_ISSUER": "https://app.example.com", "JWT_AUDIENCE": "todo"}
    said = claims(run("token", "ada", directory=tmp_path, settings=settings).stdout.strip())
    assert (said["iss"], said["aud"]) == ("https://app.example.com", "todo")


@pytest.mark.parametrize("arguments", [("serve",), ("migrate",), ("purge",), ("reset-sync",), ("recompute",)])
def test_a_database_that_does_not_answer_is_reported_in_a_sentence_without_the_password(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    refused = run(*arguments, directory=tmp_path, settings={"DATABASE_URL": ADDRESS_WITHOUT_DATABASE})
    assert refused.returncode == 1
    assert "Error: The database does not respond: " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "hunter2" not in refused.stderr + refused.stdout


def test_a_port_in_use_is_named(tmp_path: Path, database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        refused = run("serve", directory=tmp_path, settings={"DATABASE_URL": database, "PORT": port})
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Error: Cannot listen on 127.0.0.1, port {port}: Address already in use. Set HOST or PORT to another value.\n"
    )


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a..b", ".", "x" * 70, "::g"])
def test_a_host_that_cannot_be_listened_on_is_named(tmp_path: Path, database: str, host: str) -> None:
    refused = run("serve", directory=tmp_path, settings={"DATABASE_URL": database, "HOST": host})
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Error: Cannot listen on {host}, port ")
    assert refused.stderr.count("\n") == 1


def test_serving_prints_its_url_and_a_curl_that_works(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database) as service:
        greeting = service.log.read_text()
        assert f" on {service.url}, database " in greeting
        curl = re.search(r"^ *curl -w '\\n' -H '(Authorization): (.*)' (.*)$", greeting, flags=re.MULTILINE)
        assert curl is not None
        answer = httpx.get(curl[3], headers={curl[1]: curl[2]})
        assert (answer.status_code, answer.json()["total"]) == (200, 0)


def test_production_prints_no_token(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database, ENVIRONMENT="production", HOST="127.0.0.1") as service:
        greeting = service.log.read_text()
        assert "Todo API " in greeting
        assert "eyJ" not in greeting


def stop_while_it_is_sent(service: Service, sent: bytes) -> bytes:
    """Stop a service that has got only a part of a request; return the answer, which is checked by the contract."""
    address = urlsplit(service.url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=20) as connection:
        connection.sendall(sent)
        time.sleep(0.2)
        service.process.send_signal(signal.SIGTERM)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert service.process.wait(20) == 0
    check_raw(sent, answer)
    return answer


def test_a_request_that_is_still_running_at_shutdown_gets_a_503(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database) as service, User(service.url, "slow") as user:
        head = f"POST /api/slow/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: {user.http.headers['Authorization']}"
        sent = f'{head}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"t'.encode()
        answer = stop_while_it_is_sent(service, sent)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"application/problem+json" in answer
    assert b"x-request-id: " in answer
    assert b"The server is shutting down." in answer
    assert "Traceback" not in service.log.read_text()


def test_a_request_that_was_rejected_before_its_body_came_is_answered_at_shutdown(
    tmp_path: Path, database: str
) -> None:
    with start(tmp_path, DATABASE_URL=database) as service:
        answer = stop_while_it_is_sent(
            service, b"POST /api/slow/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx"
        )
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_workers_serve_together_and_stop_together(tmp_path: Path, database: str, how: signal.Signals) -> None:
    with start(tmp_path, DATABASE_URL=database, WEB_CONCURRENCY="2") as service:
        with User(service.url, f"workers-{how}") as user:
            assert [user.create()["revision"] for _ in range(5)] == [1, 2, 3, 4, 5]
        assert service.stop(how) in (0, -how)
        assert has_ended(service.process.pid)
        assert "Traceback" not in service.log.read_text()
