"""Starts programs fast, by forking from a process that has imported the libraries, but not the project's modules.

Importing the libraries takes 0.8 s of CPU, three quarters of the startup time, and the tests start more than 200
programs. The tests of README.md and of the image still run the commands exactly as an operator types them.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

LIBRARIES = (
    "alembic.command",
    "click",
    "connexion.middleware.exceptions",
    "connexion.middleware.lifespan",
    "connexion.middleware.request_validation",
    "connexion.middleware.routing",
    "connexion.middleware.security",
    "httptools",
    "jsonschema_rs",
    "psycopg_pool",
    "sqlalchemy.dialects.postgresql.psycopg",
    "uuid6",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)


class Process:
    """A running program, with the parts of the interface of `subprocess.Popen` that the tests use."""

    def __init__(self, status: socket.socket) -> None:
        self._status = status
        self.pid = int(status.recv(16))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, the negated number of the signal that ended it, or None while it runs."""
        return self._receive(0)

    def wait(self, timeout: float) -> int:
        """Wait for the exit status. Raises TimeoutExpired after `timeout` seconds."""
        returncode = self._receive(timeout)
        if returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, unless the program has ended."""
        self.send_signal(signal.SIGKILL)

    def _receive(self, timeout: float) -> int | None:
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = int(self._status.recv(16))
            except (BlockingIOError, TimeoutError):
                return None
            self._status.close()
        return self.returncode


def start(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: int, stderr: int, stdin: int | None = None
) -> Process:
    """Run `python` with these arguments, `-m MODULE ...` or `-c PROGRAM`, as the leader of a new session.

    Without `stdin` its standard input is empty.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    message = json.dumps([list(arguments), str(cwd), dict(env)]).encode()
    with theirs, Path(os.devnull).open() as empty:
        streams = [empty.fileno() if stdin is None else stdin, stdout, stderr]
        socket.send_fds(_preloaded(), [message], [theirs.fileno(), *streams])
    return Process(ours)


def run(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], given: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run `python` with these arguments, and wait up to 60 seconds for it to end; `given` is its standard input."""
    with TemporaryFile() as stdin, TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        stdin.write(given)
        stdin.seek(0)
        returncode = start(arguments, cwd, env, stdout.fileno(), stderr.fileno(), stdin.fileno()).wait(60)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(arguments, returncode, stdout.read(), stderr.read())


@cache
def _preloaded() -> socket.socket:
    """Return a connection to the process that programs are forked from. That process ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen([sys.executable, "-P", __file__], stdin=theirs.fileno(), start_new_session=True)
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _fork() -> tuple[list[str], str, dict[str, str]] | None:
    """Fork for each request. Return its program in the forked process, and None here once no more requests can come."""
    requests = socket.socket(fileno=0)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1 << 18, 4)
        if not message:
            return None
        if os.fork() == 0:
            requests.close()
            return _watch(message, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(message: bytes, status: int, *streams: int) -> tuple[list[str], str, dict[str, str]]:
    """Fork again, and return the program in the new process; here, report its id and its exit status, then exit."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 256)
        arguments, cwd, environment = json.loads(message)
        return arguments, cwd, environment
    for stream in streams:
        os.close(stream)
    # The process that sent the request may have ended.
    with suppress(OSError):
        os.write(status, str(pid).encode())
        os.write(status, str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    os._exit(0)


def _run(arguments: list[str], cwd: str, env: dict[str, str]) -> None:
    """Behave like `python` with these arguments."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    option, program, *rest = arguments
    sys.path[:0] = [cwd, *env.get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = [option, *rest]
    # An interpreter imports sitecustomize at startup. This process may have imported the distribution's, so drop that.
    sys.modules.pop("sitecustomize", None)
    with suppress(ImportError):
        importlib.import_module("sitecustomize")
    if option == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(program, {"__name__": "__main__"})  # noqa: S102 - that is what `python -c` does


def _main() -> None:
    with warnings.catch_warnings(action="ignore"):
        for library in LIBRARIES:
            importlib.import_module(library)
    # Otherwise each process collects the imported objects as it ends, and copies their memory: that takes 0.2 s.
    gc.freeze()
    # Let the kernel reap the processes that watch programs, since nothing waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    program = _fork()
    if program is not None:
        _run(*program)


if __name__ == "__main__":
    _main()
