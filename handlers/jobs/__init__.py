"""The jobs of the service: each is a module of this folder with a `Job`, listed here."""

from handlers.jobs.runner import Job

JOBS: tuple[Job, ...] = ()
