"""HAProxy, as an operator runs it in front of the service."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
_DEFAULTS = """
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
"""
needs_haproxy = pytest.mark.skipif(_PROGRAM is None, reason="haproxy is not installed")


@contextmanager
def haproxy(directory: Path, configuration: str, port: int) -> Iterator[None]:
    """Run HAProxy until the context ends. The configuration follows the defaults, and listens on `port`."""
    file = directory / "haproxy.cfg"
    file.write_text(_DEFAULTS + configuration)
    process = subprocess.Popen([str(_PROGRAM), "-q", "-db", "-f", str(file)])
    try:
        _wait_until_it_listens(port)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
