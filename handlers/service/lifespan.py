"""What a process does from startup to shutdown, in addition to serving requests."""

import asyncio
import gc
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from handlers.jobs.runner import Job, start_jobs
from handlers.responses.state import ServiceState
from handlers.service.stopping import END
from storage import task_pages, task_updates, tasks
from storage.driver.database import Database
from storage.watchers import Watchers

if TYPE_CHECKING:
    from handlers.authentication.jwks import KeySet

_SETTLE_AFTER_SECONDS = 0.5


def lifespan(
    database: Database,
    watchers: Watchers,
    key_set: "KeySet | None",
    state: ServiceState,
    jobs: Iterable[Job],
    *,
    metrics: bool,
) -> Callable[[object], AbstractAsyncContextManager[dict[str, Any]]]:
    """Return the lifespan of an application. Its database is open meanwhile, its jobs run, and its metrics are sampled.

    The application starts even if the keys of `key_set` cannot be fetched. The lifespan yields `state` for the scope of
    each request.
    """

    @asynccontextmanager
    async def opened(_: object) -> AsyncIterator[dict[str, Any]]:
        _end_with_parent()
        settling = asyncio.create_task(_settle())
        await database.open()
        if key_set is not None:
            key_set.begin_fetch()
        sampling = _start_sampling(database, watchers) if metrics else None
        running = start_jobs(jobs, database, state.in_use)
        # A second Ctrl-C cancels the lifespan while it waits or closes connections.
        with suppress(asyncio.CancelledError):
            try:
                yield state.as_lifespan_state()
            finally:
                for task in (settling, *running):
                    task.cancel()
                await _cancelled_tasks()
                if sampling is not None:
                    sampling.cancel()
                await watchers.close()
                await database.close()

    return opened


async def _settle() -> None:
    """Compile the statements that the first requests do not need, a few ms in each turn of the event loop.

    At startup that would take 70 ms.
    """
    await asyncio.sleep(_SETTLE_AFTER_SECONDS)
    for sort in task_pages.ORDERS:
        task_pages.compile_order(sort)
        await asyncio.sleep(0)
    for name in tasks.CHANGEABLE:
        task_updates.compile_update(name)
        await asyncio.sleep(0)
    # Otherwise every full garbage collection would stop all requests for 31 ms to examine objects that stay anyway.
    gc.freeze()


async def _cancelled_tasks() -> None:
    """Wait for cancelled jobs, which roll back, and for the requests that uvicorn has cancelled."""
    ours = asyncio.current_task()
    if cancelled := [task for task in asyncio.all_tasks() if task is not ours and task.cancelling()]:
        await asyncio.wait(cancelled, timeout=1)


def _start_sampling(database: Database, watchers: Watchers) -> asyncio.Task[None]:
    from handlers.telemetry.metrics import sample

    return asyncio.create_task(sample(database, watchers))


def _end_with_parent() -> None:
    """Stop this worker when its parent ends, for whatever reason: an orphan would keep the port."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop, sentinel = asyncio.get_running_loop(), parent.sentinel

    def end() -> None:
        # It stays readable, and would keep the processor busy until the last request has been served.
        loop.remove_reader(sentinel)
        os.kill(os.getpid(), END)

    loop.add_reader(sentinel, end)
