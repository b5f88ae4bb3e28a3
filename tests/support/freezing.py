"""A service that stands still, so that a test can act between two of its steps."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.server import Service


@contextmanager
def frozen(service: Service) -> Iterator[None]:
    """Stop all processes of the service for as long as the context lasts; what arrives meanwhile waits."""
    os.killpg(service.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(service.process.pid, signal.SIGCONT)


def is_closed(client: socket.socket) -> bool:
    """Return whether the server has closed the connection already."""
    timeout = client.gettimeout()
    client.settimeout(0)
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        client.settimeout(timeout)
