"""The turns of connections that hold bytes: they parse some of them one after the other, beside all other work."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

# How long connections parse, at least, before the event loop does its other work. They get as long as that work took.
_LEAST_SECONDS = 0.005


class Turns:
    """Gives each connection that waits a turn, first come first served."""

    def __init__(self) -> None:
        self._waiting = deque[Callable[[], None]]()
        self._is_scheduled = False
        self._scheduled = 0.0

    @property
    def has_waiting(self) -> bool:
        """Whether connections wait."""
        return bool(self._waiting)

    def wait(self, take_turn: Callable[[], None]) -> None:
        """Call `take_turn` once, after those who wait already."""
        self._waiting.append(take_turn)
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._is_scheduled:
            self._is_scheduled, self._scheduled = True, perf_counter()
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        began = perf_counter()
        end = began + max(_LEAST_SECONDS, began - self._scheduled)
        try:
            for _ in range(len(self._waiting)):
                self._waiting.popleft()()
                if perf_counter() >= end:
                    break
        finally:
            self._is_scheduled = False
            self._schedule()
