"""The service as an operator runs it: a process of its own, asked through HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
SECRET = "a-secret-for-tests-that-is-long-enough"


def environment(**settings: str) -> dict[str, str]:
    """Return an environment with these settings and none of this process's own."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BETTER_AUTH_SECRET": SECRET, **settings}


def command(*arguments: str) -> list[str]:
    """Return the words that run `todo-api`."""
    return [sys.executable, "-m", "handlers.cli", *arguments]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serve(directory: Path, **settings: str) -> Iterator[str]:
    """Run `todo-api serve` from `directory` until it answers, yield its base URL, stop it."""
    port = free_port()
    log = directory / f"server-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command("serve"), cwd=directory, env=environment(PORT=str(port), **settings), stdout=output, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_live(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_until_live(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers at all; raise with its log when it ends instead."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/health", timeout=5)
        except httpx.TransportError:
            if process.poll() is not None:
                break
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def run(*arguments: str, directory: Path, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a `todo-api` command to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=directory,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
