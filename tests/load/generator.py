"""The load: requests built in advance and sent by wrk if it is installed, otherwise by a generator in Python."""

import shutil
import socket
import subprocess
from collections.abc import Sequence
from http.client import HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

from tests.load import sender

CONNECTIONS = 16
# wrk sends the requests of this table in turn.
_SCRIPT = """
local requests = {%(requests)s}
local index = 0
function request()
  index = index + 1
  if index > #requests then
    if %(once)s then wrk.thread:stop() end
    index = 1
  end
  return requests[index]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "errors": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Load(NamedTuple):
    """The result of loading one server; `p50` and `p99` are latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def name() -> str:
    """Return the name of the load generator."""
    return "wrk" if shutil.which("wrk") else "a generator in Python, because wrk is not installed"


def send(url: str, requests: Sequence[bytes], seconds: float, *, once: bool = False) -> Load:
    """Send requests in turn on 16 connections for `seconds`, starting over at the end of the list unless `once` is set.

    Raises RuntimeError if `once` is set and the requests run out before the time is up.
    """
    if shutil.which("wrk"):
        load = _wrk(url, requests, seconds, once=once)
    else:
        load = Load(**sender.send(url, requests, seconds, connections=CONNECTIONS, once=once))
    if once and load.requests + CONNECTIONS >= len(requests):
        raise RuntimeError(f"{len(requests):,} requests were too few for {seconds} seconds: use shorter rounds.")
    return load


def _wrk(url: str, requests: Sequence[bytes], seconds: float, *, once: bool) -> Load:
    with TemporaryDirectory() as directory:
        script = Path(directory, "requests.lua")
        # For the characters in these requests, a JSON string is also a Lua string.
        texts = ",\n".join(orjson.dumps(one.decode()).decode() for one in requests)
        script.write_text(_SCRIPT % {"requests": texts, "once": str(once).lower()})
        command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds:.0f}s", "--timeout=5s"]
        done = subprocess.run([*command, f"--script={script}", url], capture_output=True, text=True, check=True)
    return Load(**orjson.loads(done.stdout.splitlines()[-1]))


def exchange(url: str, request: bytes) -> tuple[int, bytes]:
    """Send one request, and return the status and the body of the response. Raises OSError."""
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=5) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection, method=request.partition(b" ")[0].decode())
        response.begin()
        return response.status, response.read()
