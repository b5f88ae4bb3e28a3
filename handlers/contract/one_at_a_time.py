"""Turns for requests that take long to parse: one at a time has its turn, and others are served in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter


class OneAtATime:
    """Gives turns, first come first served.

    After each turn, the event loop serves others for at least as long as it took: `tests/faults/test_costly_bodies.py`.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._next = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, which lasts until the exit."""
        async with self._lock:
            await asyncio.sleep(self._next - perf_counter())
            began = perf_counter()
            try:
                yield
            finally:
                ended = perf_counter()
                self._next = ended + (ended - began)
