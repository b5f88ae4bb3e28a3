"""What requests cost a service: its processor time, which other programs affect less than they affect the clock."""

import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.server import Service

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def connect(service: Service) -> socket.socket:
    """Open a connection to the service."""
    address = urlsplit(service.url)
    return socket.create_connection((str(address.hostname), address.port or 80), timeout=20)


def processor_time(service: Service) -> float:
    """Return how many seconds of processor time a service has used, on Linux."""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(service: Service) -> None:
    """Return when a service has read what was sent to it, and uses no processor time."""
    used = -1.0
    while used != processor_time(service):
        used = processor_time(service)
        time.sleep(0.5)
