"""Watchers: who waits in this process until something of a user changes.

An announcement says only that something may have changed, so the user's head is read. One query reads the heads of all
users that were announced at about the same time. Now and then, all heads are read, because an announcement can be lost.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial

import psycopg
from sqlalchemy import Text, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from storage.changes import NOTHING_WRITTEN, Head
from storage.driver.database import Database
from storage.driver.query import Query
from storage.errors import Full, TooManyWatchers, Unavailable
from storage.schema import accounts

# How long the first announcement waits for others, so that one query reads all of their heads.
_GATHER_SECONDS = 0.003
# The pause after a read that has failed, which doubles up to the longest one: a read that hangs occupies a connection.
_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 30.0
# Between two reads of all heads, where announcements are heard, and where they are not.
_BACKSTOP_SECONDS = 5.0
_DEAF_SECONDS = 1.0
# A process that writes at the moment when the first watch begins may not have heard of it.
_FIRST_SECONDS = 0.5

_is_one_of_them = accounts.c.user_id == any_(bindparam("user_ids", type_=ARRAY(Text)))
_HEADS = Query(select(accounts.c.user_id, *(accounts.c[name] for name in Head._fields)).where(_is_one_of_them))
ACROSS_USERS = {_HEADS.sql}
"""The statement that reads the heads of several users."""
_NODES = Query(
    text("""
        SELECT user_id, min(groupid) FROM unnest(:user_ids) AS user_id
        JOIN pg_dist_placement ON shardid = get_shard_id_for_distribution_column('accounts', user_id)
        GROUP BY user_id
    """).bindparams(bindparam("user_ids", type_=ARRAY(Text)))
)
"""On a Citus, finds out which node has a user's rows, from what the coordinator knows."""


class _Watched:
    """A user whom somebody watches: the last head, and which read found it. `wanted` is the latest read waited for."""

    __slots__ = ("changed", "head", "read", "wanted", "watches")

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.head = NOTHING_WRITTEN
        self.read = self.wanted = self.watches = 0

    def take(self, head: Head, read: int) -> None:
        """Store what a read has found, and wake up those who wait for it."""
        is_news = head != self.head or self.read < self.wanted
        self.head, self.read = head, read
        if is_news:
            # Wakes up those who wait now, and nobody later.
            self.changed.set()
            self.changed.clear()


class Watch:
    """A user's head, for somebody who waits until it changes."""

    def __init__(self, watched: _Watched, look: Callable[[], int]) -> None:
        """`look` has the head read, and returns the number of the read that will find it."""
        self._watched, self._look = watched, look
        self._last: Head | None = None
        self._wanted = 0

    async def next(self, seen: Head, timeout: float) -> Head | None:  # noqa: ASYNC109 - None is no error
        """Return the user's head as soon as it differs from `seen`, None after `timeout` seconds."""
        if seen != self._last:
            # It comes from somewhere else, and may be newer than what was read here.
            self._wanted = self._look()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._watched.read < self._wanted or self._watched.head == seen:
                    await self._watched.changed.wait()
        if self._watched.read < self._wanted:
            return None
        self._last = self._watched.head
        return None if self._last == seen else self._last


class Watchers:
    """The watches of this process, and the reads for them."""

    def __init__(self, database: Database, *, per_user: int, per_worker: int) -> None:
        """Allow so many watches of one user, and of all users together."""
        self._database, self._per_user, self._per_worker = database, per_user, per_worker
        # Is called with the number of changes that were found although no announcement of them was heard.
        self.on_catch: Callable[[int], object] = lambda _: None
        self._users: dict[str, _Watched] = {}
        self._watches = self._reads = 0
        # The users whose heads are to be read, and whether something was announced.
        self._due: dict[str, bool] = {}
        # Users with a change that was not announced. Its announcement may still be on its way.
        self._caught: set[str] = set()
        self._reading: asyncio.Task[None] | None = None
        # The reads of users whose heads could not be read together with those of other nodes.
        self._apart: dict[str, asyncio.Task[None]] = {}
        self._backstop: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return how many watches there are."""
        return self._watches

    @asynccontextmanager
    async def watch(self, user_id: str) -> AsyncIterator[Watch]:
        """Watch a user until the end of the `with` block, which begins once announcements are heard.

        Where they are not heard, it begins after two seconds at most. Raises TooManyWatchers if the user has too many
        watches, and Full if this process has too many.
        """
        watched = self._begin(user_id)
        try:
            await self._database.announcements.watch(user_id, partial(self._look, user_id))
            yield Watch(watched, partial(self._look, user_id, wanted=True))
        finally:
            self._end(user_id, watched)

    async def wait(self, user_id: str, seen: Head, timeout: float) -> bool:  # noqa: ASYNC109 - no error
        """Wait until the user's revision is not that of `seen`, and return true, or false after `timeout` seconds.

        Raises what `watch` does.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self.watch(user_id) as watch:
                head = seen
                while (head.epoch, head.revision) == (seen.epoch, seen.revision):
                    head = await watch.next(head, timeout) or head
                return True
        return False

    async def close(self) -> None:
        """End the tasks that serve the watches."""
        if tasks := [task for task in (self._reading, self._backstop, *self._apart.values()) if task is not None]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _begin(self, user_id: str) -> _Watched:
        watched = self._users.get(user_id)
        if watched is not None and watched.watches >= self._per_user:
            raise TooManyWatchers
        if self._watches >= self._per_worker:
            raise Full
        if watched is None:
            watched = self._users[user_id] = _Watched()
        watched.watches += 1
        self._watches += 1
        if self._backstop is None:
            self._backstop = asyncio.create_task(self._look_now_and_then())
        return watched

    def _end(self, user_id: str, watched: _Watched) -> None:
        watched.watches -= 1
        self._watches -= 1
        if not watched.watches:
            del self._users[user_id]
            self._database.announcements.unwatch(user_id)
        if not self._users and self._backstop is not None:
            self._backstop.cancel()
            self._backstop = None

    def _look(self, user_id: str, *, wanted: bool = False) -> int:
        """Have the user's head read soon, and return the number of the read."""
        number = self._reads + 1
        if wanted:
            self._users[user_id].wanted = number
        self._caught.discard(user_id)
        self._read_soon({user_id: True})
        return number

    def _read_soon(self, due: Mapping[str, bool]) -> None:
        for user_id, is_announced in due.items():
            self._due[user_id] = is_announced or self._due.get(user_id, False)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while self._due:
                await asyncio.sleep(_GATHER_SECONDS)
                due = {user_id: announced for user_id, announced in self._due.items() if self._is_together(user_id)}
                self._due.clear()
                try:
                    await self._read_heads(due)
                except (Unavailable, psycopg.Error):
                    await self._read_again(due)
        finally:
            self._reading = None

    def _is_together(self, user_id: str) -> bool:
        return user_id in self._users and user_id not in self._apart

    async def _read_again(self, due: Mapping[str, bool]) -> None:
        """Have heads read that could not be read together: those of each node of a cluster apart, at once.

        If a node is away, its users must not keep the others from hearing anything.
        """
        try:
            rows = await _NODES.fetch_all(self._database.pipeline, user_ids=[*due])
        except (Unavailable, psycopg.Error):
            # There is no cluster, or no database that responds.
            self._read_soon(due)
            await asyncio.sleep(_RETRY_SECONDS)
            return
        node_of = {str(user_id): node for user_id, node in rows}
        for node in set(node_of.values()):
            users = {user_id: announced for user_id, announced in due.items() if node_of.get(user_id) == node}
            self._apart |= dict.fromkeys(users, asyncio.create_task(self._read_apart(users)))

    async def _read_apart(self, due: Mapping[str, bool]) -> None:
        """Read the heads of a node's users, less and less often until that succeeds or nobody watches them any more."""
        pause = _RETRY_SECONDS
        try:
            while watched := {user_id: announced for user_id, announced in due.items() if user_id in self._users}:
                with suppress(Unavailable, psycopg.Error):
                    await self._read_heads(watched)
                    break
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
        finally:
            for user_id in due:
                del self._apart[user_id]
        # What was announced meanwhile has not been read.
        self._read_soon(due)

    async def _read_heads(self, due: Mapping[str, bool]) -> None:
        number = self._next_read()
        rows = await _HEADS.fetch_all(self._database.pipeline, user_ids=[*due])
        heads = {user_id: Head._make(head) for user_id, *head in rows}
        for user_id, is_announced in due.items():
            self._take(user_id, heads.get(user_id, NOTHING_WRITTEN), number, is_announced=is_announced)

    def _next_read(self) -> int:
        self._reads += 1
        return self._reads

    def _take(self, user_id: str, head: Head, number: int, *, is_announced: bool) -> None:
        if (watched := self._users.get(user_id)) is None:
            return
        if watched.read and head != watched.head and not is_announced:
            self._caught.add(user_id)
        watched.take(head, number)

    async def _look_now_and_then(self) -> None:
        await asyncio.sleep(_FIRST_SECONDS)
        while True:
            if self._caught:
                self.on_catch(len(self._caught))
                self._caught.clear()
            self._read_soon(dict.fromkeys(self._users, False))
            await asyncio.sleep(_BACKSTOP_SECONDS if self._database.announcements.works else _DEAF_SECONDS)
