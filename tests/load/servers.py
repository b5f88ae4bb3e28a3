"""The servers to compare: this service as operators run it, the limit, FastAPI, Fastify, and one that does nothing."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tests.load.generator import exchange
from tests.load.machine import cpu_seconds, has_fastify
from tests.load.operations import ORIGIN
from tests.load.output import write
from tests.support.server import ROOT, command, environment, free_port

OURS, LIMIT, FASTAPI, FASTIFY, NOTHING = "this service", "limit", "FastAPI", "Fastify", "nothing"
_UVICORN = [sys.executable, "-m", "uvicorn", "--loop=uvloop", "--http=httptools", "--no-access-log"]
# In favour of both: this service, meant to run behind a proxy, reads the proxy's headers; they do not.
_UVICORN += ["--log-level=warning", "--no-server-header", "--no-proxy-headers"]
_STARTUP_SECONDS = 30


class Server(NamedTuple):
    """A running server; `pid` is the id of its main process."""

    name: str
    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used, in seconds."""
        return cpu_seconds(self.pid)


@contextmanager
def running(name: str, database: str, **settings: str) -> Iterator[Server]:
    """Run a server and yield it once it responds; `settings` are extra environment variables."""
    port = free_port()
    env = environment(DATABASE_URL=database, PORT=str(port), **settings)
    if name == OURS:
        # With every feature on, the access log included, except METRICS_PORT, which is off by default.
        env |= {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": ORIGIN, "HOST": "127.0.0.1", "LOG_LEVEL": "info"}
    process = subprocess.Popen(_command(name, port), cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process)
        yield Server(name, url, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def runnable(names: Sequence[str]) -> list[str]:
    """Return the servers that can run on this machine, and report it if Fastify is not one of them."""
    if FASTIFY not in names or has_fastify():
        return list(names)
    write(f"- {FASTIFY} is not measured, because Node.js or tests/node_modules is missing.")
    return [name for name in names if name != FASTIFY]


def _command(name: str, port: int) -> list[str]:
    return {
        OURS: command("serve"),
        LIMIT: [*_UVICORN, f"--port={port}", "tests.load.limit:app"],
        FASTAPI: [*_UVICORN, f"--port={port}", "tests.load.peer:app"],
        FASTIFY: ["node", "tests/load/fastify/server.js"],
        NOTHING: [sys.executable, "-m", "tests.load.nothing", str(port)],
    }[name]


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until `/health` returns any status below 500, since not every server has it. Raises RuntimeError."""
    deadline = time.monotonic() + _STARTUP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            # This service returns 503 until it has reached the database.
            if exchange(url, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] < 500:
                return
        time.sleep(0.002)
    raise RuntimeError(f"The server did not start: {process.args!r}")
