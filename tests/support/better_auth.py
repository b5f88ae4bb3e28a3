"""A real Better Auth, run as a frontend runs it: in its own process, reached over HTTP."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from tests.support.server import ROOT, SECRET, free_port

NODE_MODULES = ROOT / "tests" / "node_modules"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not NODE_MODULES.exists(),
    reason="Node.js or tests/node_modules is missing; `make test` installs the latter",
)


@contextmanager
def better_auth(**settings: str) -> Iterator[str]:
    """Run `tests/clients/better-auth.js` with these settings, and yield its base URL once it responds."""
    environment = {"PATH": os.environ["PATH"], "BETTER_AUTH_SECRET": SECRET, "PORT": str(free_port())} | settings
    url = f"http://127.0.0.1:{environment['PORT']}"
    with subprocess.Popen(["node", "clients/better-auth.js"], cwd=ROOT / "tests", env=environment) as process:
        try:
            _wait_until_it_responds(url, process)
            yield url
        finally:
            process.terminate()


def _wait_until_it_responds(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    with httpx.Client(timeout=5) as client:
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx.TransportError):
                client.get(f"{url}/api/auth/ok").raise_for_status()
                return
            time.sleep(0.05)
    outcome = (
        "did not respond within 30 seconds" if process.poll() is None else f"exited with status {process.returncode}"
    )
    raise RuntimeError(f"Better Auth {outcome}. Its output shows the reason.")
