"""Clients that do not read, and the memory that this takes."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.server import Service


def connect(service: Service, window: int | None = None) -> socket.socket:
    """Open a connection, with a receive buffer of this many bytes."""
    client = socket.socket()
    client.settimeout(20)
    if window:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    address = urlsplit(service.url)
    client.connect((str(address.hostname), address.port or 80))
    return client


def resident(service: Service) -> int:
    """Return the resident memory of a service in bytes."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
