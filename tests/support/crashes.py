"""Crashes of the service and of PostgreSQL."""

import os
import signal
import time
from contextlib import suppress

import psycopg

from tests.support.server import Service

# Longer than PostgreSQL takes to recover from a crash.
PATIENCE = 60.0
_SESSION = """
SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1
"""


def kill_service(service: Service) -> None:
    """Kill the service's process, and wait until it has ended."""
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(20)


def crash_postgres(url: str) -> None:
    """Kill one of PostgreSQL's sessions, if there is any, and wait until PostgreSQL has ended all others to recover."""
    with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(_SESSION).fetchone()
        if row is not None:
            with suppress(ProcessLookupError):
                os.kill(row[0], signal.SIGKILL)
            connection.execute("SELECT pg_sleep(10)")


def wait_for_recovery(url: str) -> None:
    """Wait until PostgreSQL accepts connections. Raises psycopg.OperationalError after a minute."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
