"""A write that was answered with 503 is never carried out after later writes of the same client."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from sqlalchemy import text

from storage.administration.migrations import migrate
from storage.driver.database import Database
from storage.driver.query import Query
from storage.errors import Unavailable
from storage.task_creation import create_task
from storage.task_updates import update_task
from storage.tasks import Task, delete_task, get_task
from storage.trash import restore_task
from tests.support.client import Json, User, mint
from tests.support.driver import with_database
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy
from tests.support.postgres import database_with, new_database, postgres_over_tcp
from tests.support.server import Service, serve, start
from tests.support.sessions import Observer, observe, until


class World(NamedTuple):
    """A service whose database is behind a proxy, and an observer of that database."""

    service: Service
    proxy: FaultyProxy
    observer: Observer
    database: str


class Ann:
    """A client that repeats what is answered with 503, with one task in the trash and another outside it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.refused = 0

    async def send(self, method: str, path: str, members: Json = None) -> Json:
        """Send a request until it is answered, and return the response's document."""
        while True:
            token = {"Authorization": f"Bearer {mint('ann')}"}
            response = await self.http.request(method, f"/api/ann{path}", headers=token, json=members)
            if response.status_code != 503:
                assert response.status_code < 300, response.text
                return response.json() if response.content else None
            self.refused += 1
            await asyncio.sleep(0.05)


NEW: dict[str, Any] = {
    "title": "first",
    "description": None,
    "completed": False,
    "priority": 2,
    "due_date": None,
    "tags": [],
    "list_id": None,
    "parent_id": None,
    "position": None,
}


async def rename(ann: Ann, task: str) -> None:
    """Change the task, and then twice more."""
    for title in ("A", "B", "C"):
        await ann.send("PATCH", f"/tasks/{task}", {"title": title})


async def empty(ann: Ann, task: str) -> None:
    """Empty the trash, and then move the task to it."""
    await ann.send("DELETE", "/trash")
    await ann.send("DELETE", f"/tasks/{task}")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Yield the URL of a server over TCP: there, it writes to a closed connection once before it notices."""
    with postgres_over_tcp() as url:
        yield url


@pytest.fixture
def world(server: str, tmp_path: Path) -> Iterator[World]:
    """Yield a service whose statements may take two seconds."""
    database = new_database(server)
    with faulty_proxy(database) as proxy:
        settings = {"DATABASE_URL": proxy.url, "DATABASE_STATEMENT_TIMEOUT": "2"}
        with start(tmp_path, **settings) as service, observe(database) as observer:
            yield World(service, proxy, observer, database)


@contextmanager
def suspended(world: World) -> Iterator[None]:
    """Stop all sessions during the `with` block, and wait until they have ended."""
    sessions = world.observer.backends()
    for session in sessions:
        os.kill(session, signal.SIGSTOP)
    try:
        yield
    finally:
        for session in sessions:
            os.kill(session, signal.SIGCONT)


async def broken_off(world: World, ann: Ann, write: Awaitable[None]) -> None:
    """Write while no cancellation reaches the server, until the connection has been closed; then let it be reached."""
    world.proxy.away = True
    writing = asyncio.ensure_future(write)
    await until(lambda: ann.refused or writing.done())
    world.proxy.away = False
    await writing


async def prepared(world: World, ann: Ann) -> str:
    """Create a task and return its id, once the jobs that begin with a request have ended."""
    created = await ann.send("POST", "/tasks", {"title": "first"})
    await asyncio.sleep(0.5)
    await settled(world)
    return str(created["id"])


@asynccontextmanager
async def client_of(world: World) -> AsyncIterator[tuple[Ann, str]]:
    """Yield a client, and the id of its task."""
    async with httpx.AsyncClient(base_url=world.service.url, timeout=30) as http:
        ann = Ann(http)
        yield ann, await prepared(world, ann)


async def settled(world: World) -> None:
    """Wait until no session does anything."""
    await until(lambda: not world.observer.backends("state <> 'idle'"))
    await asyncio.sleep(0.1)


@pytest.mark.parametrize("is_deletion", [False, True])
def test_what_waited_behind_a_lock_is_not_carried_out_once_it_is_released(server: str, *, is_deletion: bool) -> None:
    url = new_database(server)
    migrate(url)

    async def insist(work: Callable[[], Awaitable[Any]], refused: asyncio.Event) -> Any:
        while True:
            try:
                return await work()
            except Unavailable:
                refused.set()
                await asyncio.sleep(0.05)

    async def test(opened: Database) -> None:
        ann, bob = [await create_task(opened.pipeline, user, NEW) for user in ("ann", "bob")]
        refused, others = asyncio.Event(), asyncio.Event()

        def rename(user: str, task: Task, title: str) -> Callable[[], Awaitable[Any]]:
            return lambda: update_task(opened.pipeline, user, task.id, {"title": title}, None)

        first = partial(delete_task, opened.pipeline, "ann", ann.id, None) if is_deletion else rename("ann", ann, "A")
        with psycopg.connect(url) as connection:
            connection.execute("SELECT FROM accounts WHERE user_id = 'bob' FOR UPDATE")
            proxy.away = True
            waits = asyncio.create_task(insist(rename("bob", bob, "B"), others))
            writing = asyncio.create_task(insist(first, refused))
            await until(lambda: refused.is_set() or writing.done())
            proxy.away = False
            await writing
            if is_deletion:
                await insist(partial(restore_task, opened.pipeline, "ann", ann.id), others)
            for title in ("B", "C"):
                last = await insist(rename("ann", ann, title), others)
        await waits
        await asyncio.sleep(0.5)
        assert await get_task(opened.pipeline, "ann", ann.id) == last

    with faulty_proxy(url) as proxy:
        with_database(proxy.url, test)


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_commit_whose_connection_is_lost_is_not_carried_out_after_the_answer(server: str, *, is_reset: bool) -> None:
    url = database_with(server, "CREATE TABLE entries (number integer NOT NULL)")
    write = Query(text("INSERT INTO entries SELECT 1 FROM pg_advisory_xact_lock_shared(1)"))

    async def test(opened: Database) -> None:
        with observer.gate():
            batch = opened.in_transaction("ann", lambda transaction: transaction.commit((write, {})))
            writing = asyncio.create_task(batch)
            await until(observer.waiting)
            # Without a reset, the statement takes too long, and its cancellation does not reach the server.
            proxy.away = True
            if is_reset:
                proxy.reset(after=b"")
            with pytest.raises(Unavailable):
                await writing
        await until(lambda: not observer.backends("state <> 'idle'"))
        assert not observer.execute("SELECT number FROM entries")

    with faulty_proxy(url) as proxy, observe(url) as observer:
        with_database(proxy.url, test, statement_timeout=1)


def test_what_a_suspended_session_has_received_is_not_carried_out_once_it_goes_on(world: World) -> None:
    async def test() -> None:
        async with client_of(world) as (ann, task):
            with suspended(world):
                await broken_off(world, ann, rename(ann, task))
                last = await ann.send("GET", f"/tasks/{task}")
            await settled(world)
            assert await ann.send("GET", f"/tasks/{task}") == last

    asyncio.run(test())


def test_a_suspended_session_does_not_empty_the_trash_once_it_goes_on(world: World) -> None:
    async def test() -> None:
        async with client_of(world) as (ann, task):
            with suspended(world):
                await broken_off(world, ann, empty(ann, task))
            await settled(world)
            assert (await ann.send("POST", f"/trash/{task}/restore"))["title"] == "first"

    asyncio.run(test())


def test_what_a_killed_service_has_sent_is_not_carried_out_after_later_writes(server: str, tmp_path: Path) -> None:
    url = new_database(server)
    with (
        start(tmp_path, DATABASE_URL=url, DATABASE_POOL_MAX_SIZE="1") as killed,
        serve(tmp_path, DATABASE_URL=url) as other,
        observe(url) as observer,
        ThreadPoolExecutor() as threads,
        User(other, "ann") as ann,
        User(killed.url, "ann") as earlier,
        User(killed.url, "bob") as bob,
    ):
        task, held = ann.create(), bob.create()
        with psycopg.connect(url) as connection:
            connection.execute("SELECT FROM accounts WHERE user_id = 'bob' FOR UPDATE")
            # So that the service gets both at once, and sends them together if it can.
            killed.process.send_signal(signal.SIGSTOP)
            sent = [threads.submit(bob.patch, held["id"], {"title": "B"})]
            time.sleep(0.1)
            sent.append(threads.submit(earlier.patch, task["id"], {"title": "A"}))
            time.sleep(0.1)
            killed.process.send_signal(signal.SIGCONT)
            while not observer.waiting():
                time.sleep(0.002)
            killed.process.kill()
            assert [type(one.exception()) for one in sent] == [httpx.RemoteProtocolError] * 2
            for title in ("A", "B"):
                last = ann.patch(task["id"], {"title": title}).json()
        time.sleep(1)
        assert ann.get(f"/tasks/{task['id']}").json() == last
