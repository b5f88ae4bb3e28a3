"""The servers: this service as an operator runs it, the limit, FastAPI, and one that does nothing."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tests.load.generator import ask
from tests.load.machine import cpu_seconds
from tests.load.operations import ORIGIN
from tests.support.server import ROOT, environment, free_port, module

OURS, LIMIT, FASTAPI, NOTHING = "this service", "limit", "FastAPI", "nothing"
_UVICORN = ["-m", "uvicorn", "--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning"]
# In favour of both: a server behind a proxy, as this service is to be, reads the proxy's headers.
_UVICORN += ["--no-server-header", "--no-proxy-headers"]
_PATIENCE_SECONDS = 30


class Server(NamedTuple):
    """A running server; `pid` is of its first process."""

    name: str
    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return how long its processes have been on a processor."""
        return cpu_seconds(self.pid)


@contextmanager
def running(name: str, database: str, **settings: str) -> Iterator[Server]:
    """Run one of the servers, and yield it when it answers; `settings` are more of this service's."""
    port = free_port()
    env = environment(DATABASE_URL=database, PORT=str(port), **settings)
    if name == OURS:
        # With everything on, and its log written; without METRICS_PORT, as by default.
        env |= {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": ORIGIN, "HOST": "127.0.0.1", "LOG_LEVEL": "info"}
    process = subprocess.Popen([sys.executable, *_words(name, port)], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process)
        yield Server(name, url, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _words(name: str, port: int) -> list[str]:
    return {
        OURS: module("serve"),
        LIMIT: [*_UVICORN, f"--port={port}", "tests.load.limit:app"],
        FASTAPI: [*_UVICORN, f"--port={port}", "tests.load.peer:app"],
        NOTHING: ["-m", "tests.load.nothing", str(port)],
    }[name]


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until `/health` is answered, if only with a 404: not every server has it. Raises RuntimeError."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            # This service says 503 until it has reached the database.
            if ask(url, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] < 500:
                return
        time.sleep(0.002)
    raise RuntimeError(f"This server did not start: {process.args!r}")
