"""Behind a PgBouncer that pools transactions, as Neon's and many other providers' addresses are."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from pwd import getpwnam
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.client import User
from tests.postgres import odd_database, reachable_directory
from tests.server import free_port, run, serve

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="there is no pgbouncer on this machine")

CONFIGURATION = """
[databases]
{name} = host={sockets} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""


def wait_until_it_answers(url: str) -> None:
    """Wait for a database's address to take connections."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(url):
            return
        time.sleep(0.02)
    raise RuntimeError("PgBouncer did not start")


@pytest.fixture
def direct(postgres: str) -> str:
    """Return the URL of an empty database, past PgBouncer."""
    return odd_database(postgres)


@pytest.fixture
def pooled(direct: str) -> Iterator[str]:
    """Yield the URL of the same database through a PgBouncer."""
    name, sockets, port = urlsplit(direct).path[1:], parse_qs(urlsplit(direct).query)["host"][0], free_port()
    # It does not run as root.
    user = {"user": "nobody", "group": getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with reachable_directory() as directory:
        file = directory / "pgbouncer.ini"
        file.write_text(CONFIGURATION.format(name=name, sockets=sockets, port=port))
        with subprocess.Popen([str(PGBOUNCER), "-q", str(file)], stderr=subprocess.DEVNULL, **user) as process:  # type: ignore[call-overload]
            try:
                url = f"postgresql://postgres@127.0.0.1:{port}/{name}"
                wait_until_it_answers(url)
                yield url
            finally:
                process.terminate()


def test_migrations_leave_no_lock_behind_for_others_to_wait_for(direct: str, pooled: str, tmp_path: Path) -> None:
    assert run("migrate", directory=tmp_path, settings={"DATABASE_URL": pooled}).returncode == 0
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_without_prepared_statements_every_request_is_answered(pooled: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": pooled, "DATABASE_PREPARED_STATEMENTS": "false"}
    with serve(tmp_path, **settings) as server, ThreadPoolExecutor(8) as threads:

        def work(client: int) -> int:
            with User(server, f"user-{client}") as user:
                # Often enough for psycopg to prepare the statements, did it not know better.
                for number in range(15):
                    task = user.create(str(number))
                    assert user.get("/tasks").json()["tasks"][0] == task
                    assert task["created_at"].endswith("Z")
                return int(user.get("/tasks").json()["total"])

        assert list(threads.map(work, range(8))) == [15] * 8
