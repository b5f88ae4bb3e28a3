"""Watchers: who waits for a user's next change gets it once it is there, and leaves nothing behind."""

import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest

from storage.changes import NOTHING_WRITTEN, Head, get_head
from storage.errors import Full, TooManyWatchers
from tests.support.watching import SETTLED_SECONDS, Process, others, process, wait_for_next


@pytest.fixture
def url(unused: str) -> str:
    """Return the URL of the test's database."""
    return unused


def write_unheard(url: str, user_id: str) -> None:
    """Increment a user's revision without an announcement."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO accounts AS a (user_id, revision) VALUES (%s, 1) "
            "ON CONFLICT (user_id) DO UPDATE SET revision = a.revision + 1",
            [user_id],
        )


async def head_of(one: Process, user_id: str) -> Head:
    """Return a user's head, as the database has it."""
    return await get_head(one.database.pipeline, user_id)


def test_who_is_behind_gets_the_head_at_once(url: str) -> None:
    async def test() -> None:
        async with process(url) as one:
            await one.write("ada")
            async with one.watchers.watch("ada") as watch:
                head = await watch.next(NOTHING_WRITTEN, 5)
                assert head == await head_of(one, "ada")
                assert head.revision == 1

    asyncio.run(test())


def test_who_is_not_behind_waits_until_the_time_is_up(url: str) -> None:
    async def test() -> None:
        async with process(url) as one:
            await one.write("ada")
            async with one.watchers.watch("ada") as watch, one.watchers.watch("grace") as other:
                assert await watch.next(await head_of(one, "ada"), 0.2) is None
                assert await watch.next(await head_of(one, "ada"), 0) is None
                # She has no account yet.
                assert await other.next(NOTHING_WRITTEN, 0.2) is None

    asyncio.run(test())


def test_the_first_write_of_a_user_is_a_change(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            wait = await wait_for_next(watch)
            await one.write("ada")
            head = await wait.head(within=1)
            assert head.revision == 1
            assert head.epoch > 0

    asyncio.run(test())


def test_everybody_who_watches_a_user_gets_each_change_and_nobody_else(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, AsyncExitStack() as stack:
            watches = [await stack.enter_async_context(one.watchers.watch("ada")) for _ in range(5)]
            other = await wait_for_next(await stack.enter_async_context(one.watchers.watch("grace")))
            head = NOTHING_WRITTEN
            for revision in range(1, 4):
                waits = [await wait_for_next(watch, head) for watch in watches]
                await one.write("ada")
                heads = {await wait.head(within=1) for wait in waits}
                (head,) = heads
                assert head.revision == revision
            with pytest.raises(TimeoutError):
                await other.head(within=0.1)

    asyncio.run(test())


def test_nobody_gets_an_older_head_than_the_one_they_have(url: str) -> None:
    """A client may have read a change that was not announced yet."""

    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            await one.write("ada")
            first = await watch.next(NOTHING_WRITTEN, 5)
            assert first is not None
            await asyncio.sleep(SETTLED_SECONDS)
            write_unheard(url, "ada")
            newer = await head_of(one, "ada")
            assert newer.revision == first.revision + 1
            async with one.watchers.watch("ada") as another:
                assert await another.next(newer, 0.3) is None
                assert await watch.next(newer, 0.3) is None

    asyncio.run(test())


def test_a_head_that_went_back_is_a_change(url: str) -> None:
    """As after the restore of a backup."""

    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            await one.write("ada")
            head = await head_of(one, "ada")
            assert await watch.next(head._replace(revision=7), 1) == head
            assert await watch.next(head._replace(epoch=7), 1) == head
            assert await watch.next(head._replace(purged=7), 1) == head

    asyncio.run(test())


def test_a_user_may_watch_in_so_many_places_and_a_process_has_so_many_watches(url: str) -> None:
    async def test() -> None:
        async with process(url, per_user=2, per_worker=3) as one:
            for _ in range(2):
                async with one.watchers.watch("ada"), one.watchers.watch("ada"):
                    with pytest.raises(TooManyWatchers):
                        await one.watchers.watch("ada").__aenter__()
                    async with one.watchers.watch("grace"):
                        with pytest.raises(Full):
                            await one.watchers.watch("lin").__aenter__()
                        with pytest.raises(TooManyWatchers):
                            await one.watchers.watch("ada").__aenter__()
                        assert len(one.watchers) == 3
                assert len(one.watchers) == 0

    asyncio.run(test())


def test_a_watch_that_is_cancelled_leaves_nothing_behind(url: str) -> None:
    async def watch_for_ever(one: Process) -> None:
        async with one.watchers.watch("ada") as watch:
            await watch.next(NOTHING_WRITTEN, 3600)

    async def test() -> None:
        async with process(url) as one:
            # So that there is a connection.
            async with one.watchers.watch("grace"):
                pass
            await asyncio.sleep(SETTLED_SECONDS)
            before = {task for task in others() if not task.done()}
            for seconds in (0, 0.001, 0.05, SETTLED_SECONDS):
                watching = asyncio.create_task(watch_for_ever(one))
                await asyncio.sleep(seconds)
                watching.cancel()
                await asyncio.wait([watching])
                await asyncio.sleep(0.1)
                assert len(one.watchers) == 0
                assert not one.watchers._users
                assert not one.database.announcements._watched
                assert {task for task in others() if not task.done()} == before

    asyncio.run(test())


def test_a_thousand_users_with_a_write_each_cost_few_queries(url: str) -> None:
    async def test() -> None:
        users = [f"user {number}" for number in range(1000)]
        async with process(url) as one, process(url) as other, AsyncExitStack() as stack:
            watches = [await stack.enter_async_context(one.watchers.watch(user_id)) for user_id in users]
            waits = [asyncio.create_task(watch.next(NOTHING_WRITTEN, 30)) for watch in watches]
            await asyncio.sleep(SETTLED_SECONDS)
            before = one.watchers._reads
            assert before < 10
            began = asyncio.get_running_loop().time()
            await asyncio.gather(*(other.write(user_id) for user_id in users))
            heads = await asyncio.gather(*waits)
            seconds = asyncio.get_running_loop().time() - began
            assert {head.revision for head in heads if head} == {1}
            # At most one for each announcement.
            assert one.watchers._reads - before <= 3 + seconds / 0.02

    asyncio.run(test())


def test_who_waits_again_and_again_for_the_same_change_costs_no_queries(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            await one.write("ada")
            head = await head_of(one, "ada")
            await asyncio.sleep(SETTLED_SECONDS)
            assert await watch.next(head, 0.1) is None
            before = one.watchers._reads
            for _ in range(50):
                assert await watch.next(head, 0.01) is None
            assert one.watchers._reads == before

    asyncio.run(test())


def test_a_change_whose_announcement_is_lost_is_found_and_counted(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, process(url) as other, one.watchers.watch("ada") as watch:
            caught: list[int] = []
            one.watchers.on_catch = caught.append
            wait = await wait_for_next(watch)
            write_unheard(url, "ada")
            await wait.head(within=7)
            async with one.watchers.watch("grace") as announced:
                head = NOTHING_WRITTEN
                for _ in range(100):
                    await other.write("grace")
                    head = await announced.next(head, 5) or head
                    await asyncio.sleep(0.1)
            assert caught == [1]

    asyncio.run(test())


def test_a_read_that_fails_is_repeated(url: str) -> None:
    async def test() -> None:
        async with process(url) as one, one.watchers.watch("ada") as watch:
            wait = await wait_for_next(watch, settled=SETTLED_SECONDS)
            with psycopg.connect(url, autocommit=True) as connection:
                await one.write("ada")
                connection.execute("ALTER TABLE accounts RENAME TO elsewhere")
                await asyncio.sleep(0.1)
                connection.execute("ALTER TABLE elsewhere RENAME TO accounts")
            assert (await wait.head(within=3)).revision == 1

    asyncio.run(test())
