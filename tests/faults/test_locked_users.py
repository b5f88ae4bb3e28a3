"""Users whose accounts are locked, as long changes in another process lock them, keep no connection from others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.support.client import User
from tests.support.pgbouncer import needs_pgbouncer, run_pgbouncer
from tests.support.postgres import new_database
from tests.support.server import serve

BATCH = {"operations": [{"op": "create", "task": {"title": "A task"}}]}


@pytest.fixture(params=[None, *(pytest.param(mode, marks=needs_pgbouncer) for mode in ("session", "transaction"))])
def users(postgres: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[User]]:
    """Yield nine users of a service with four connections, perhaps behind PgBouncer. All but the first are locked."""
    url = new_database(postgres)
    settings = {"DATABASE_URL": url, "DATABASE_POOL_MAX_SIZE": "4"}
    with ExitStack() as stack:
        if request.param is not None:
            pooler = run_pgbouncer(url, f"pool_mode = {request.param}\ndefault_pool_size = 20\n")
            settings |= {"DATABASE_URL": stack.enter_context(pooler), "DATABASE_PREPARED_STATEMENTS": "false"}
        server = stack.enter_context(serve(tmp_path, **settings))
        users = [stack.enter_context(User(server, f"user-{number}")) for number in range(9)]
        for user in users:
            user.create()
        connection = stack.enter_context(psycopg.connect(url))
        connection.execute("SELECT FROM accounts WHERE user_id <> 'user-0' FOR UPDATE")
        yield users


def write(user: User) -> int:
    """Create a task, and return the status."""
    return user.request("POST", "/tasks", json={"title": "A task"}, timeout=60).status_code


def batch(user: User) -> int:
    """Send a batch, and return the status."""
    return user.request("POST", "/batch", json=BATCH, timeout=60).status_code


def change_all(user: User) -> int:
    """Change all tasks, and return the status."""
    return user.request("PATCH", "/tasks?completed=false", json={"priority": "High"}, timeout=60).status_code


def test_what_waits_for_locks_keeps_no_connection_from_others(users: list[User]) -> None:
    free, *locked = users
    with ThreadPoolExecutor(24) as threads:
        waiting = [threads.submit(send, user) for user in locked for send in (write, batch, change_all)]
        for _ in range(3):
            assert (write(free), batch(free), change_all(free)) == (201, 200, 200)
            assert free.get("/tasks", timeout=60).status_code == 200
        assert {one.result() for one in waiting} == {503}
