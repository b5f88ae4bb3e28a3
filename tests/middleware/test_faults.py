"""A fault of the server's own: a client is told that there is one, the log is told which."""

from pathlib import Path

import psycopg

from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.server import start


def test_a_fault_is_told_without_its_cause_and_logged_whole_with_the_requests_id(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with start(tmp_path, DATABASE_URL=url) as service, User(service.url, "ada") as ada:
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE tasks RENAME COLUMN title TO heading")
        # Past the contract, which has no 500.
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


def test_a_database_without_tables_is_told_as_one_that_is_away(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with start(tmp_path, DATABASE_URL=url, MIGRATE_ON_START="false") as service, User(service.url, "ada") as ada:
        assert ada.get("/tasks").status_code == 503
        assert 'relation "accounts" does not exist' in service.log.read_text()
