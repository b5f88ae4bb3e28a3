"""The service with psycopg's pure Python binding to the system's libpq, for platforms without binary packages."""

import ctypes.util
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.server import command, environment

pytestmark = pytest.mark.skipif(ctypes.util.find_library("pq") is None, reason="libpq is not installed")


@contextmanager
def pure_python_service(directory: Path, **settings: str) -> Iterator[str]:
    """Run the service with that binding, and yield its base URL. Forked programs have already chosen a binding."""
    env = environment(PSYCOPG_IMPL="python", **settings)
    with (directory / "service.log").open("w") as log:
        service = subprocess.Popen(command("serve"), cwd=directory, env=env, stdout=log, stderr=log)
    try:
        yield _once_it_responds(f"http://127.0.0.1:{env['PORT']}")
    finally:
        service.terminate()
        service.wait(20)


def _once_it_responds(url: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(f"{url}/health")
            return url
        time.sleep(0.05)
    raise RuntimeError("the service did not start")


def test_every_kind_of_statement_works(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    with (
        pure_python_service(tmp_path, DATABASE_URL=url, DATABASE_STATEMENT_TIMEOUT="1") as server,
        User(server, "ada") as ada,
    ):
        task = ada.create("Buy milk", tags=["shop"], due_date="2026-12-24")
        assert ada.get(f"/tasks/{task['id']}").json() == task
        assert ada.get("/tasks").json()["tasks"] == [task]
        assert ada.titles(search="milk") == ["Buy milk"]
        assert ada.titles(search="bread") == []
        with psycopg.connect(url) as holder:
            holder.execute("SELECT FROM accounts FOR UPDATE")
            assert ada.patch(task["id"], {"title": "late"}).status_code == 503
        assert ada.patch(task["id"], {"completed": True}).json()["completed"] is True
        assert ada.request("DELETE", f"/tasks/{task['id']}").status_code == 204
        assert ada.titles() == []
