"""PgBouncer, a connection pooler, in transaction mode."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.support.postgres import UNPRIVILEGED, private_postgres, reachable_directory
from tests.support.server import free_port

_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
needs_pgbouncer = pytest.mark.skipif(_PROGRAM is None, reason="PgBouncer is not installed")

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


@contextmanager
def run_pgbouncer(direct: str, more: str = "") -> Iterator[str]:
    """Run a PgBouncer in front of a database, with `more` settings, and yield the database's URL through it."""
    name, sockets, port = urlsplit(direct).path[1:], parse_qs(urlsplit(direct).query)["host"][0], free_port()
    with reachable_directory() as directory:
        file = directory / "pgbouncer.ini"
        file.write_text(CONFIGURATION.format(name=name, sockets=sockets, port=port) + more)
        # PgBouncer refuses to run as root.
        with subprocess.Popen([str(_PROGRAM), "-q", str(file)], stderr=subprocess.DEVNULL, **UNPRIVILEGED) as process:
            try:
                url = f"postgresql://postgres@127.0.0.1:{port}/{name}"
                _wait_until_it_accepts_connections(url)
                yield url
            finally:
                process.terminate()


def _wait_until_it_accepts_connections(url: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(url):
            return
        time.sleep(0.02)
    raise RuntimeError("PgBouncer did not start")


def main(command: list[str]) -> int:
    """Run a command with the URL of a new database behind PgBouncer in TEST_DATABASE_URL; return its exit status."""
    with private_postgres() as direct, run_pgbouncer(direct) as url:
        settings = {"TEST_DATABASE_URL": url, "DATABASE_PREPARED_STATEMENTS": "false"}
        return subprocess.run(command, env=os.environ | settings, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
