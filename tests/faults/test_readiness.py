"""A service that can serve requests says that it is ready, even if its database is slow or used up by others."""

import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User
from tests.support.faulty_proxy import faulty_proxy
from tests.support.postgres import new_database, private_postgres
from tests.support.server import serve
from tests.support.sessions import observe

END_CHECKS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE '%alembic_version' AND pid <> pg_backend_pid()
"""


def readiness(server: str) -> int:
    """Return the status of `/health/ready`."""
    return httpx.get(f"{server}/health/ready", timeout=30).status_code


def use_all_connections(url: str, others: ExitStack) -> None:
    """Open connections until the server refuses one. Raises psycopg.OperationalError."""
    while True:
        others.enter_context(psycopg.connect(url))


def test_a_service_is_ready_while_others_use_all_connections_that_the_server_has(tmp_path: Path) -> None:
    with (
        private_postgres() as url,
        serve(tmp_path, DATABASE_URL=url) as server,
        User(server, "ada") as ada,
        observe(url) as observer,
        ExitStack() as others,
    ):
        ada.create("kept")
        # The check may have had a connection of its own until now. While it is idle, the service notices too late.
        time.sleep(1.5)
        observer.execute(END_CHECKS)
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            use_all_connections(url, others)
        for _ in range(5):
            assert ada.titles() == ["kept"]
            assert readiness(server) == 200
            time.sleep(0.5)


def test_readiness_does_not_change_while_the_database_is_two_seconds_away(postgres: str, tmp_path: Path) -> None:
    with (
        faulty_proxy(new_database(postgres)) as proxy,
        serve(tmp_path, DATABASE_URL=proxy.url) as server,
        User(server, "ada") as ada,
    ):
        ada.create("kept")
        proxy.delay = 2.0
        assert {readiness(server) for _ in range(3)} == {200}
