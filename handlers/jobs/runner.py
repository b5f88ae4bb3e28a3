"""Jobs: work that the service repeats, in one process at a time among all workers and replicas."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from storage.driver.connection import ExclusiveConnection
from storage.driver.database import Database
from storage.driver.locks import try_lock
from storage.errors import Unavailable

_FIRST_RETRY_SECONDS = 1.0
# PostgreSQL ends the transaction of a process that died after at most 40 seconds. With this pause between attempts,
# another process takes over within a minute.
_TAKE_OVER_SECONDS = 15.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Work to repeat: at startup, and then every `every` seconds.

    `run` gets a connection inside a transaction, which is committed when `run` returns, and rolled back when it raises
    or the service stops. Two processes never run a job at the same time, but each of them runs it every `every`
    seconds, and an interrupted run is repeated. So a run must be idempotent, and cheap when there is nothing to do. It
    should take a few seconds at most, and leave any remaining work to the next run. A run fails if a statement takes
    longer than `DATABASE_STATEMENT_TIMEOUT` or 20 seconds, or if it pauses for longer than 20 seconds between two
    statements.

    A run holds one of the pool's connections, and each turn sends a query, which wakes a sleeping database. `name`
    identifies the lock: it must be unique among jobs and the same in every release.
    """

    name: str
    every: float
    run: Callable[[ExclusiveConnection], Awaitable[None]]


def start_jobs(jobs: Iterable[Job], database: Database) -> list[asyncio.Task[None]]:
    """Return a task per job, which repeats the job until it is cancelled.

    After cancelling them, wait a moment before closing the database, so that PostgreSQL rolls their transactions back
    at once.
    """
    return [asyncio.create_task(_repeat(job, database), name=f"job {job.name}") for job in jobs]


async def _repeat(job: Job, database: Database) -> None:
    """Run the job at each of its turns. After a failure, retry after a pause that doubles up to the interval."""
    retry = _FIRST_RETRY_SECONDS
    # A job that suppresses its cancellation would otherwise be started again.
    while not _is_stopping():
        try:
            has_run = await _run_alone(job, database)
        except (Exception, asyncio.CancelledError) as error:
            if _is_stopping():
                raise
            pause = min(retry, job.every)
            retry = 2 * pause
            _report(job, error, pause)
        else:
            pause = job.every if has_run else min(_TAKE_OVER_SECONDS, job.every)
            retry = _FIRST_RETRY_SECONDS
        await asyncio.sleep(pause)


def _is_stopping() -> bool:
    """Return whether this task is cancelled, and not only something that the job has waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _run_alone(job: Job, database: Database) -> bool:
    """Run the job, unless another process is running it; return whether it ran. Raises what the job raises."""
    async with database.transaction() as connection:
        if not await try_lock(connection, job.name):
            return False
        await job.run(connection)
        return True


def _report(job: Job, error: BaseException, pause: float) -> None:
    is_away = isinstance(error, Unavailable)
    # The messages of other errors may quote rows. The traceback in the log has only the first line of each message.
    reason = error if is_away else type(error).__name__
    _logger.warning(
        "job %s failed and will be retried in %g s: %s",
        job.name,
        pause,
        reason,
        exc_info=None if is_away else error,
        extra={"job": job.name},
    )
