"""What a process does beside answering requests, from its start to its end."""

import asyncio
import gc
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from storage import task_pages as lists
from storage import tasks
from storage.driver.database import Database

if TYPE_CHECKING:
    from handlers.authentication.jwks import KeySet

_SETTLE_AFTER_SECONDS = 0.5


def lifespan(
    database: Database, key_set: "KeySet | None", *, metrics: bool
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an application: its database is open in it, and measured where metrics are wanted.

    It begins whether or not the keys of `key_set` can be had.
    """

    @asynccontextmanager
    async def opened(_: object) -> AsyncIterator[None]:
        _end_with_parent()
        settling = asyncio.create_task(_settle())
        await database.open()
        if key_set is not None:
            key_set.begin_fetch()
        sampling = _start_sampling(database) if metrics else None
        # A second Ctrl-C cancels the wait for the end, and the closing of connections with it.
        with suppress(asyncio.CancelledError):
            try:
                yield
            finally:
                settling.cancel()
                await _cancelled_answers()
                if sampling is not None:
                    sampling.cancel()
                await database.close()

    return opened


async def _settle() -> None:
    """Compile what no first answer need wait for, a few ms in each turn of the event loop, and keep all that is there.

    At the start it would take 70 ms.
    """
    await asyncio.sleep(_SETTLE_AFTER_SECONDS)
    for sort in lists.ORDERS:
        lists.compile_order(sort)
        await asyncio.sleep(0)
    for name in tasks.CHANGEABLE:
        tasks.compile_update(name)
        await asyncio.sleep(0)
    # To look for garbage in what stays would stop all requests for 31 ms, at every full collection.
    gc.freeze()


async def _cancelled_answers() -> None:
    """Wait for the answers to requests that uvicorn has cancelled: a worker ends with its lifespan."""
    ours = asyncio.current_task()
    if cancelled := [task for task in asyncio.all_tasks() if task is not ours and task.cancelling()]:
        await asyncio.wait(cancelled, timeout=1)


def _start_sampling(database: Database) -> asyncio.Task[None]:
    from handlers.telemetry.metrics import sample

    return asyncio.create_task(sample(database))


def _end_with_parent() -> None:
    """Have a worker end when its parent does, however that ended: an orphan would keep the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        asyncio.get_running_loop().add_reader(parent.sentinel, os.kill, os.getpid(), signal.SIGTERM)
