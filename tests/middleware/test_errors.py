"""Errors of the server itself: the client gets a 500 or 503, and only the log names the cause."""

from pathlib import Path

import psycopg

from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.server import start


def test_a_server_error_hides_its_cause_from_the_client_and_is_logged_with_the_request_id(
    postgres: str, tmp_path: Path
) -> None:
    url = new_database(postgres)
    with start(tmp_path, DATABASE_URL=url) as service, User(service.url, "ada") as ada:
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE tasks RENAME COLUMN title TO heading")
        # The check against the contract, which declares no 500, would fail.
        ada.http.event_hooks = {}
        response = ada.request("POST", "/tasks", json={"title": "a secret title"})
        log = service.log.read_text()
    assert (response.status_code, response.headers["Content-Type"]) == (500, "application/problem+json")
    assert response.json() == {
        "type": "urn:problem-type:todo-api:internal-error",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The server failed. This is not your fault, and the error has been logged.",
        "instance": f"urn:request:{response.headers['X-Request-ID']}",
    }
    assert log.count(f"request {response.headers['X-Request-ID']} failed") == log.count("Traceback") == 1
    assert "UndefinedColumn" in log
    assert "a secret title" not in log


def test_a_database_without_tables_returns_503_as_if_it_were_down(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with start(tmp_path, DATABASE_URL=url, MIGRATE_ON_START="false") as service, User(service.url, "ada") as ada:
        assert ada.get("/tasks").status_code == 503
        assert 'relation "accounts" does not exist' in service.log.read_text()
