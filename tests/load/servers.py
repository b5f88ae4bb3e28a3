"""The three servers, each one worker on the first core."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

import httpx

from tests.load.machine import on_core
from tests.load.operations import ORIGIN
from tests.server import ROOT, environment, free_port, module

SERVERS = ("ours", "limit", "FastAPI")
_APPLICATIONS = {"limit": "tests.load.limit:app", "FastAPI": "tests.load.peer:app"}
_UVICORN = ["-m", "uvicorn", "--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning"]


class Server(NamedTuple):
    """A running server."""

    name: str
    url: str
    pid: int


@contextmanager
def running(name: str, database: str) -> Iterator[Server]:
    """Run one of the servers on the first core, and yield it when it answers."""
    port = free_port()
    env = environment(DATABASE_URL=database, PORT=str(port))
    if name == "ours":
        # As in production, with everything on and the log written: nobody reads it here.
        env |= {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": ORIGIN, "HOST": "127.0.0.1", "LOG_LEVEL": "info"}
        words = module("serve")
    else:
        words = [*_UVICORN, f"--port={port}", _APPLICATIONS[name]]
    with on_core(0):
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(url, process)
        yield Server(name, url, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(url)
            return
        time.sleep(0.02)
    raise RuntimeError(f"a server did not start: {process.args}")


@contextmanager
def all_running(names: list[str], database: str) -> Iterator[list[Server]]:
    """Run some servers side by side; one that nobody asks anything takes no time of the core."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(name, database)) for name in names]
