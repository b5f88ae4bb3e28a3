"""The jobs of a service, which begin with the first request of a user."""

import time

import psycopg

from handlers.jobs import jobs_of

_DONE = "SELECT count(*) FROM leases WHERE expires_at > clock_timestamp() + interval '1 hour'"


def wait_for_jobs(url: str) -> None:
    """Wait until all jobs have run, and so send no more statements today. Raises TimeoutError after 10 seconds."""
    number = len(jobs_of(trash_days=1, key_days=1))
    deadline = time.monotonic() + 10
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            if connection.execute(_DONE).fetchone() == (number,):
                return
            time.sleep(0.02)
    raise TimeoutError
