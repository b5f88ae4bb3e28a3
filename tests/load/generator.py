"""The load: wrk, with requests made beforehand."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import orjson

CONNECTIONS = 16
_SCRIPT = """
local requests = {%s}
local index = 0
function request()
  index = index %% #requests + 1
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
    """What a server did under load; `p50` and `p99` are in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


def wrk(url: str, requests: Sequence[bytes], seconds: float) -> Load:
    """Send these requests in turn, over and over, on 16 connections for so many seconds."""
    with TemporaryDirectory() as directory:
        script = Path(directory, "requests.lua")
        # Python's and Lua's escapes agree on what these bytes need.
        script.write_text(_SCRIPT % ",".join(orjson.dumps(one.decode()).decode() for one in requests))
        words = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds:.0f}s", "--timeout=5s"]
        done = subprocess.run([*words, f"--script={script}", url], capture_output=True, text=True, check=True)
    return Load(**orjson.loads(done.stdout.splitlines()[-1]))
