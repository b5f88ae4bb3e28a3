"""The service's jobs: what it does once a day, beside serving requests."""

from datetime import timedelta
from functools import partial

from handlers.jobs.runner import Job
from storage.purging import purge_keys, purge_trash


def jobs_of(*, trash_days: int, key_days: int) -> tuple[Job, ...]:
    """Return all jobs. Deleted tasks are kept for `trash_days`, and idempotency keys for `key_days`."""
    return (
        Job("purge-trash", partial(purge_trash, age=timedelta(days=trash_days))),
        Job("purge-keys", partial(purge_keys, age=timedelta(days=key_days))),
    )
