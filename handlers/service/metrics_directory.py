"""The directory in which the processes of an instance share their metrics, and what killed instances have left."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp

# Releases before 0.3.0 do not lock their directories, whose names begin with `todo-api-metrics-` alone.
_PREFIX = "todo-api-metrics-locked-"


@contextmanager
def metrics_directory() -> Iterator[str]:
    """Remove the directories that no living process uses, then yield a new one, which is removed at the end."""
    for path in Path(gettempdir()).glob(f"{_PREFIX}*"):
        _remove_unless_used(path)
    directory = _made()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def use(directory: str | Path) -> None:
    """Mark a directory as used for as long as this process lives. Raises OSError.

    The mark is a lock and not a process id, because another process can get the same id, and containers that share a
    directory for temporary files cannot see each other's processes.
    """
    _lock(directory, fcntl.LOCK_SH)


def _lock(directory: str | Path, operation: int) -> int:
    """Lock a directory, and return the descriptor that has the lock."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, operation)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _made() -> str:
    while True:
        directory = mkdtemp(prefix=_PREFIX)
        # An instance that starts at the same time may remove the directory before it is marked.
        with suppress(FileNotFoundError):
            use(directory)
            if Path(directory).exists():
                return directory


def _remove_unless_used(path: Path) -> None:
    # The lock fails if a process uses the directory, or if it belongs to another user.
    with suppress(OSError):
        descriptor = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)
