"""Jobs: work that the service does once a day, in one process at a time among all workers and replicas."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from storage import leases
from storage.driver.database import Database
from storage.errors import Unavailable
from storage.leases import Lease

# When the process that runs a job has died, another one runs it after at most this time.
_LEASE = timedelta(seconds=60)
_DAY = timedelta(days=1)
# Twice as long as any lease, so that a clock which is set back a little ends none.
_LONGEST = 2 * (_LEASE + _DAY)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Work to do once a day, in portions.

    `run` does it, and yields the number of rows after each portion, which should take a second at most. It is closed
    between two portions if the service stops or another process takes over, and then it begins again. Two processes may
    run a portion at the same time, after one of them was suspended. `name` identifies the lease: it must be unique
    among jobs and the same in every release.
    """

    name: str
    run: Callable[[Database], AsyncGenerator[int]]


def start_jobs(jobs: Iterable[Job], database: Database, in_use: asyncio.Event) -> list[asyncio.Task[None]]:
    """Return a task per job, which runs the job once a day until it is cancelled.

    `in_use` is set by each request of a user. A job waits for one before its turn, so that a database that nobody uses
    is not woken up. After cancelling the tasks, wait a moment before closing the database, so that they can roll back.
    """
    return [asyncio.create_task(_repeat(job, database, in_use), name=f"job {job.name}") for job in jobs]


async def _repeat(job: Job, database: Database, in_use: asyncio.Event) -> None:
    # A job that suppresses its cancellation would otherwise be started again.
    while not _is_stopping():
        await in_use.wait()
        try:
            pause = await _take_turn(job, database)
        except (Exception, asyncio.CancelledError) as error:
            if _is_stopping():
                raise
            pause = _LEASE
            _report(job, error, pause)
        await asyncio.sleep(pause.total_seconds())
        # A shorter pause was for another process, which may have died.
        if pause >= _LEASE:
            in_use.clear()


def _is_stopping() -> bool:
    """Return whether this task is cancelled, and not only something that the job has waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _take_turn(job: Job, database: Database) -> timedelta:
    """Run the job, unless another process runs it or has run it today. Return the time until the next turn."""
    lease = await leases.take(database.pipeline, job.name, _LEASE, _LONGEST)
    if lease is not None:
        await _run(job, database, lease)
    return await leases.remaining(database.pipeline, job.name)


async def _run(job: Job, database: Database, lease: Lease) -> None:
    """Run the job, and keep its lease until the next day. Raises what the job raises."""
    loop, rows = asyncio.get_running_loop(), 0
    async with aclosing(job.run(database)) as portions:
        began = loop.time()
        async for size in portions:
            rows += size
            renewed = await leases.renew(database.pipeline, lease, _LEASE)
            if renewed is None:
                return
            lease = renewed
            # Leave half of the time to requests.
            await asyncio.sleep(loop.time() - began)
            began = loop.time()
    await leases.renew(database.pipeline, lease, _DAY)
    if rows:
        _logger.info("job %s is done: %d rows", job.name, rows, extra={"job": job.name})


def _report(job: Job, error: BaseException, pause: timedelta) -> None:
    is_away = isinstance(error, Unavailable)
    # The messages of other errors may quote rows. The traceback in the log has only the first line of each message.
    reason = error if is_away else type(error).__name__
    _logger.warning(
        "job %s failed and will be retried in %g s: %s",
        job.name,
        pause.total_seconds(),
        reason,
        exc_info=None if is_away else error,
        extra={"job": job.name},
    )
