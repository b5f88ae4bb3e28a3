"""A private PostgreSQL for each run of the tests, and helpers that act on its server."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from storage.administration.embedded import run_postgres
from storage.administration.embedded_files import prepare_programs, process_options, server_user

# Arguments for subprocess to run a program that refuses to run as root. They name the user that PostgreSQL runs as
# when root starts it, because its socket accepts only that user.
UNPRIVILEGED: dict[str, Any] = {}
if os.geteuid() == 0:
    UNPRIVILEGED = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """Make a temporary directory that every user can enter: if root starts PostgreSQL, it runs as `nobody`."""
    directory = Path(tempfile.mkdtemp(prefix="todo-api-tests-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def private_postgres() -> Iterator[str]:
    """Run a PostgreSQL server that nothing else uses, and yield the URL of its database."""
    with reachable_directory() as directory, run_postgres(directory / "postgresql") as url:
        yield url


@contextmanager
def postgres_over_tcp() -> Iterator[str]:
    """Run a PostgreSQL server that listens on a port of 127.0.0.1 as well, and yield the URL of its database."""
    with reachable_directory() as directory:
        with run_postgres(directory / "postgresql"):
            user, data = server_user(), directory / "postgresql" / "data"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        control = [str(prepare_programs(directory / "postgresql", user) / "pg_ctl"), "-D", str(data), "-s", "-w"]
        options = f"-k '' -p {port} -c listen_addresses=127.0.0.1"
        log = str(data / "log")
        subprocess.run([*control, "-o", options, "-l", log, "start"], check=True, **process_options(user, data))
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/todo"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **process_options(user, data))


def new_database(url: str, options: str = "") -> str:
    """Create an empty database on the server of `url`, and return the new URL."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" {options}'.encode())
    return urlsplit(url)._replace(path=f"/{name}").geturl().replace("postgresql:/?", f"postgresql://postgres@/{name}?")


def database_with(url: str, sql: str) -> str:
    """Create a database on the server of `url`, run SQL in it, and return its URL."""
    made = new_database(url)
    with psycopg.connect(made) as connection:
        connection.execute(sql.encode())
    return made


def odd_database(url: str) -> str:
    """Create an empty database whose sessions have unusual defaults, and return its URL."""
    made = new_database(url)
    with psycopg.connect(made, autocommit=True) as connection:
        for setting in (
            "timezone = 'Asia/Kolkata'",
            "datestyle = 'German, DMY'",
            "client_encoding = 'LATIN1'",
            "default_transaction_isolation = 'serializable'",
        ):
            connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET {setting}'.encode())
    return made


def postmaster(url: str) -> int:
    """Return the process id of the server that runs a database."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    return int(row[0].splitlines()[0])


def end_sessions(url: str) -> None:
    """End all client sessions on a database's server except this one."""
    with psycopg.connect(url, autocommit=True) as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        connection.execute(f"{others} WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()".encode())


def wait_for_locks(url: str, sessions: int, *, or_more: bool = False) -> None:
    """Wait until exactly this many sessions on a database's server wait for a lock. Raises TimeoutError after 10 s.

    A service's daily jobs, which begin after its first request, may wait for the lock of a table too: `or_more`.
    """
    deadline = time.monotonic() + 10
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            ((found,),) = connection.execute(waiting).fetchall()
            if found == sessions or (or_more and found > sessions):
                return
            time.sleep(0.02)
    raise TimeoutError
