"""Turns: a user's writes come one after the other. Together, they would wait for one lock with a connection each."""

import asyncio
from weakref import WeakValueDictionary

from storage.errors import Busy


class Turns:
    """The turns of all users, each first come first served."""

    def __init__(self, seconds: float) -> None:
        """Nobody waits for a turn for longer than `seconds`."""
        self._seconds = seconds
        self._turns: WeakValueDictionary[str | None, asyncio.Lock] = WeakValueDictionary()
        self.waiting = 0

    async def take(self, user_id: str | None) -> asyncio.Lock:
        """Return the user's turn, which the caller must release. Raises Busy if it does not come in time."""
        turn = self._turns.get(user_id)
        if turn is None:
            # Nobody has a new one, so this does not wait, and needs no limit.
            turn = self._turns[user_id] = asyncio.Lock()
            await turn.acquire()
            return turn
        self.waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await turn.acquire()
        except TimeoutError:
            raise Busy("the same user's other writes did not end") from None
        finally:
            self.waiting -= 1
        return turn
