"""The service, run as an operator runs it: in its own process, reached over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from tests.support import forked, given_database
from tests.support.raw_answers import check_raw

ROOT = Path(__file__).parents[2]
SECRET = "a-secret-for-tests-that-is-long-enough"


def environment(**settings: str) -> dict[str, str]:
    """Return an environment with these settings and the required ones, without the other variables of this process."""
    ours = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BETTER_AUTH_SECRET": SECRET, "PORT": str(free_port())}
    return ours | given_database.SETTINGS | settings


def command(*arguments: str) -> list[str]:
    """Return the command line that runs `todo-api` with these arguments."""
    return [sys.executable, *module(*arguments)]


def module(*arguments: str) -> list[str]:
    """Return the arguments to Python that run `todo-api` with these arguments."""
    return ["-m", "handlers", *arguments]


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Service(NamedTuple):
    """A running `todo-api serve`. Its process leads a process group, as in a terminal."""

    url: str
    process: forked.Process
    log: Path

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status. Raises TimeoutExpired after 20 seconds."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def start(directory: Path, **settings: str) -> Iterator[Service]:
    """Run `todo-api serve` in `directory`, yield it once it responds, and stop it at the end if it still runs."""
    env = environment(**settings)
    port = env["PORT"]
    log = directory / f"server-{port}.log"
    with log.open("w") as output:
        process = forked.start(module("serve"), directory, env, output.fileno(), output.fileno())
    service = Service(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_it_responds(service)
        yield service
    finally:
        if process.poll() is None:
            service.stop()


def _wait_until_it_responds(service: Service) -> None:
    deadline = time.monotonic() + 30
    with httpx.Client(timeout=5) as client:
        while time.monotonic() < deadline and service.process.poll() is None:
            with suppress(httpx.TransportError):
                client.get(f"{service.url}/health")
                return
            time.sleep(0.02)
    raise RuntimeError(f"the server did not start:\n{service.log.read_text()}")


@contextmanager
def serve(directory: Path, **settings: str) -> Iterator[str]:
    """Run `todo-api serve` in `directory`, and yield its base URL."""
    with start(directory, **settings) as service:
        yield service.url


def run(
    *arguments: str, directory: Path, settings: Mapping[str, str], given: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run a `todo-api` command, and wait for it to end; `given` is its standard input."""
    return forked.run(module(*arguments), directory, environment(**settings), given)


def output_of(command: str, directory: Path, database: str) -> str:
    """Run a `todo-api` command that succeeds, and return what it prints."""
    done = run(command, directory=directory, settings={"DATABASE_URL": database})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def has_ended(group: int) -> bool:
    """Return whether all processes of a group end within 5 seconds; multiprocessing's resource tracker ends last."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def send_raw(server: str, *segments: bytes) -> bytes:
    """Send bytes, return all bytes received until the server closes the connection, and check them by the contract."""
    address = urlsplit(server)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        # A server that has rejected the first segments may close the connection before it reads the others.
        with suppress(ConnectionError):
            for segment in segments:
                connection.sendall(segment)
                time.sleep(0.02)
            while chunk := connection.recv(65_536):
                received += chunk
    check_raw(b"".join(segments), received)
    return received
