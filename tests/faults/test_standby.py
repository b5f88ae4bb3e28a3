"""With synchronous replication, no write is acknowledged that the standby does not have."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from tests.support.client import User
from tests.support.postgres import private_postgres
from tests.support.server import serve


def test_a_write_that_does_not_reach_the_standby_is_not_acknowledged(tmp_path: Path) -> None:
    settings = {"DATABASE_STATEMENT_TIMEOUT": "1", "DATABASE_POOL_MAX_SIZE": "2"}
    with private_postgres() as url, serve(tmp_path, DATABASE_URL=url, **settings) as server:
        assert [create(server, "before", n) for n in range(2)] == [201, 201]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
            connection.execute("SELECT pg_reload_conf()")
        # Some wait until their time is up, and others are cancelled before that because they hold up others.
        with ThreadPoolExecutor(12) as threads:
            statuses = Counter(threads.map(lambda number: create(server, f"user-{number}", number), range(12)))
        assert statuses == {503: 12}
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")
        assert create(server, "after", 1) == 201


def create(server: str, user: str, number: int) -> int:
    """Create a task, and return the status."""
    with User(server, user) as one:
        return one.request("POST", "/tasks", json={"title": f"Task {number}"}, timeout=60).status_code
