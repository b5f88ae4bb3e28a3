"""The service's jobs: each is defined as a `Job` in a module of this folder, and listed here."""

from handlers.jobs.runner import Job

JOBS: tuple[Job, ...] = ()
