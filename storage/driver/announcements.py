"""Announcements: those who watch a user hear at once that something may have changed, in this process and in others.

Other processes hear it by NOTIFY, in a transaction of its own: NOTIFY takes a lock of the whole server when it commits.
Every process listens from its first write or watch on. Where somebody watches, it says so every few seconds, and hears
that itself, which proves that listening works. A process that has not heard this from another one for some time
announces nothing: while nobody watches, a write costs no query.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from secrets import token_hex

import psycopg
from sqlalchemy import text

from storage.driver.listener import CHANNEL, listening
from storage.driver.messages import Outbox, parse
from storage.driver.pipeline import Pipeline
from storage.driver.query import Query
from storage.errors import Unavailable

# Its commit need not wait for the disk or a standby: it holds the lock meanwhile, and writes nothing.
_NOTIFY = Query(text("SELECT set_config('synchronous_commit', 'off', true), pg_notify(:channel, :payload)"))
# Between two announcements of a process. The first is sent at once.
_PAUSE_SECONDS = 0.02
# How often a process says that somebody watches there. After three times without, nobody does.
_PING_SECONDS = 5.0
# How long it takes at most to hear an answer, or one's own message.
_ANSWER_SECONDS = 2.0
# The pause after a lost connection. It doubles up to ten times if listening does not work.
_RETRY_SECONDS = 0.5


class Announcements:
    """What this process announces and hears, and who watches here. `works` is whether it hears other processes."""

    def __init__(self, url: str, pipeline: Pipeline) -> None:
        """Announce through `pipeline`, and listen on a connection to `url` of its own."""
        self.works = False
        # Is called with the seconds from another process's write to its announcement here.
        self.on_delay: Callable[[float], object] = lambda _: None
        self._url, self._pipeline = url, pipeline
        self._name = token_hex(8)
        self._watched: dict[str, Callable[[], object]] = {}
        self._outbox = Outbox()
        # The times (monotonic) until which somebody watches in another process, as far as this one has heard, and until
        # which somebody may, because the answers to its question are not there yet.
        self._watched_until = self._asking_until = 0.0
        self._is_closed = False
        self._silences = 0
        self._known, self._heard, self._due = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None

    def announce(self, user_id: str | None) -> None:
        """Tell those who watch the user that something may have changed. To be called when a write has ended."""
        if user_id is None or self._is_closed:
            return
        if look := self._watched.get(user_id):
            look()
        if self._listening is None:
            # Its first message asks who watches, and takes the announcement along.
            self._outbox.add(user_id)
            self._listen()
        elif time.monotonic() < max(self._watched_until, self._asking_until):
            self._outbox.add(user_id)
            if self._sending is None:
                self._sending = asyncio.get_running_loop().create_task(self._send())

    async def watch(self, user_id: str, look: Callable[[], object]) -> None:
        """Call `look` for every announcement of the user, and whenever some may have been missed, until `unwatch`.

        Return once announcements are heard, or it is known that they are not, or after two seconds.
        """
        if not self._watched and self.works:
            # The connection may have broken while nobody watched.
            self._known.clear()
        self._watched[user_id] = look
        self._due.set()
        if self._listening is None:
            self._listen()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._known.wait()

    def unwatch(self, user_id: str) -> None:
        """Call the user's function no more."""
        self._watched.pop(user_id, None)

    async def close(self) -> None:
        """End all tasks, and close the connection."""
        self._is_closed = True
        if tasks := [task for task in (self._listening, self._sending) if task is not None]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _listen(self) -> None:
        if self._is_closed:
            return
        self._known.clear()
        self._asking_until = math.inf
        self._listening = asyncio.get_running_loop().create_task(self._keep_listening())

    async def _keep_listening(self) -> None:
        """Listen until the connection is lost, and again for as long as somebody watches here."""
        try:
            while True:
                with suppress(psycopg.Error, Unavailable, TimeoutError):
                    await self._listen_once()
                self.works, self._asking_until = False, 0.0
                self._known.set()
                await asyncio.sleep(_RETRY_SECONDS * 2 ** min(self._silences, 10))
                if not self._watched:
                    return
        finally:
            self._listening = None

    async def _listen_once(self) -> None:
        """Raise psycopg.Error or TimeoutError when the connection is lost, and Unavailable when nothing can be sent."""
        async with listening(self._url) as payloads:
            self._look_at_all()
            tasks = [asyncio.create_task(self._hear(payloads)), asyncio.create_task(self._prove())]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    def _look_at_all(self) -> None:
        for look in self._watched.values():
            look()

    async def _hear(self, payloads: AsyncIterator[str]) -> None:
        async for payload in payloads:
            self._on_payload(payload)

    def _on_payload(self, payload: str) -> None:
        message = parse(payload)
        if message is None:
            return
        if message.sender == self._name:
            self._heard.set()
            return
        if message.watches:
            self._watched_until = time.monotonic() + 3 * _PING_SECONDS
        if message.asks and self._watched:
            self._due.set()
        looks = [look for user_id in message.users if (look := self._watched.get(user_id))]
        for look in looks:
            look()
        if looks:
            self.on_delay(max(0.0, time.time() - message.at))

    async def _prove(self) -> None:
        """Ask who watches, say so while somebody watches here, and raise TimeoutError if this is not heard here."""
        asks = True
        while True:
            self._due.clear()
            self._heard.clear()
            await self._notify(asks=asks)
            if asks:
                self._asking_until = time.monotonic() + _ANSWER_SECONDS
            await self._until_heard()
            asks = False
            await self._until_due()

    async def _until_heard(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._heard.wait()
        except TimeoutError:
            self._silences += 1
            raise
        self._silences = 0
        self.works = True
        self._known.set()

    async def _until_due(self) -> None:
        """Wait a few seconds, or until somebody asks or is the first to watch here."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PING_SECONDS):
                await self._due.wait()
        while not self._watched:
            self._due.clear()
            await self._due.wait()

    async def _send(self) -> None:
        try:
            while self._outbox:
                # What is lost here is found by those who look now and then.
                with suppress(psycopg.Error, Unavailable):
                    await self._notify(asks=False)
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._sending = None

    async def _notify(self, *, asks: bool) -> None:
        message = self._outbox.take(self._name, watches=bool(self._watched), asks=asks)
        await _NOTIFY.fetch_one(self._pipeline, channel=CHANNEL, payload=message.payload())
