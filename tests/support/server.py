"""The service as an operator runs it: a process of its own, asked through HTTP."""

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

from tests.support import forked
from tests.support.raw_answers import check_raw

ROOT = Path(__file__).parents[2]
SECRET = "a-secret-for-tests-that-is-long-enough"


def environment(**settings: str) -> dict[str, str]:
    """Return an environment with these settings and none of this process's own."""
    ours = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BETTER_AUTH_SECRET": SECRET, "PORT": str(free_port())}
    return ours | settings


def command(*arguments: str) -> list[str]:
    """Return the words that run `todo-api`."""
    return [sys.executable, *module(*arguments)]


def module(*arguments: str) -> list[str]:
    """Return the arguments for Python that run `todo-api`."""
    return ["-m", "handlers", *arguments]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Service(NamedTuple):
    """A running `todo-api serve`; its process leads a group, as in a terminal."""

    url: str
    process: forked.Process
    log: Path

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(how)
        return self.process.wait(20)


@contextmanager
def start(directory: Path, **settings: str) -> Iterator[Service]:
    """Run `todo-api serve` from `directory`, yield it when it answers, and stop it unless it has been."""
    env = environment(**settings)
    port = env["PORT"]
    log = directory / f"server-{port}.log"
    with log.open("w") as output:
        process = forked.start(module("serve"), directory, env, output.fileno(), output.fileno())
    service = Service(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_it_answers(service)
        yield service
    finally:
        if process.poll() is None:
            service.stop()


def _wait_until_it_answers(service: Service) -> None:
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
    """Run `todo-api serve` from `directory`, and yield its base URL."""
    with start(directory, **settings) as service:
        yield service.url


def run(
    *arguments: str, directory: Path, settings: Mapping[str, str], given: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run a `todo-api` command to its end; `given` is its standard input."""
    return forked.run(module(*arguments), directory, environment(**settings), given)


def has_ended(group: int) -> bool:
    """Tell whether all processes of a group end within seconds; multiprocessing's own tracker is the last."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def send_raw(server: str, *segments: bytes) -> bytes:
    """Send bytes, and return all that is answered until the server closes the connection, held to the contract."""
    address = urlsplit(server)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = b""
        # A server that has refused the first segments closes the connection on the others.
        with suppress(ConnectionError):
            for segment in segments:
                connection.sendall(segment)
                time.sleep(0.02)
            while chunk := connection.recv(65_536):
                answer += chunk
    check_raw(b"".join(segments), answer)
    return answer
