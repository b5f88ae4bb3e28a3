"""Readers follow the feed while others write and tombstones are purged. They miss no change, and receive none that did
not happen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Event
from uuid import UUID

import pytest

from tests.support.batches import create, delete, restore, send, update
from tests.support.client import Json, User
from tests.support.postgres import new_database
from tests.support.sync.journal import Journal
from tests.support.sync.organiser import Organiser
from tests.support.sync.replica import Moment, Replica
from tests.support.sync.trial import choose_seed
from tests.support.sync.world import World, world

WRITERS = 3
STEPS = 50
LIMITS = range(1, 8)
PARTS = ("tasks", "deleted", "lists", "deleted_lists")


@pytest.fixture
def around(tmp_path: Path, postgres: str) -> Iterator[World]:
    """Yield a service whose database notes every write."""
    with world(tmp_path, new_database(postgres)) as one:
        yield one


class Writer:
    """Writes what the dice choose: single tasks, batches and lists, which create, update, delete and restore."""

    def __init__(self, server: str, dice: Random) -> None:
        self._user = User(server, "ada")
        self._dice = dice
        self._ids: list[str] = []
        self._organiser = Organiser(self._user, dice)

    def write(self, steps: int) -> None:
        """Write so many times."""
        with self._user:
            for step in range(steps):
                self._dice.choice([self._write_one, self._run_batch, self._write_list])(f"step {step}")

    def _write_list(self, _: str) -> None:
        self._organiser.work(1)

    def _write_one(self, title: str) -> None:
        kind, task_id = self._dice.choice(["create", "update", "delete", "restore"]), self._any_id()
        match kind:
            case "create":
                self._ids.append(self._user.create(title)["id"])
            case "update":
                response = self._user.patch(task_id, {"title": title})
                assert response.status_code in (200, 404), response.text
            case "delete":
                assert self._user.delete(task_id).status_code in (204, 404)
            case "restore":
                response = self._user.request("POST", f"/trash/{task_id}/restore")
                assert response.status_code in (200, 404), response.text

    def _run_batch(self, title: str) -> None:
        created = [self._new_id() for _ in range(self._dice.randint(0, 4))]
        others = {self._any_id() for _ in range(4)}
        operations = [self._change(one, title) for one in sorted(others)]
        operations += [create(title, id=one) for one in created]
        response = send(self._user, *operations, mode="independent")
        assert response.status_code == 200, response.text
        self._ids += created

    def _change(self, task_id: str, title: str) -> Json:
        return self._dice.choice([update(task_id, title=title), delete(task_id), restore(task_id)])

    def _any_id(self) -> str:
        return self._dice.choice(self._ids[-20:]) if self._ids else self._new_id()

    def _new_id(self) -> str:
        return str(UUID(int=self._dice.getrandbits(128), version=4))


def _entries(page: Json) -> list[Json]:
    return [one for name in PARTS for one in page[name]]


class Purges:
    """Purges of everything in the trash. `begun` counts them."""

    def __init__(self, around: World) -> None:
        self.begun = 0
        self._world = around

    def go_on(self, over: Event) -> None:
        """Purge again and again."""
        while not over.wait(0.2):
            self.begun += 1
            self._world.age_trash([])
            self._world.purge_trash()


class Reader:
    """Follows the feed in pages of `limit`, and notes all that it received, and its copy whenever it had caught up."""

    def __init__(self, server: str, limit: int, purges: Purges) -> None:
        self.told: list[Json] = []
        self.caught_up: list[Moment] = []
        self.resets = 0
        self.copy = Replica()
        self._user = User(server, "ada")
        self._limit = limit
        self._purges = purges

    def read(self, over: Event) -> None:
        """Follow the feed until the others are done, and once more to its end."""
        with self._user:
            is_last = False
            while not is_last:
                is_last = over.is_set()
                self._catch_up()

    def _catch_up(self) -> None:
        has_more = True
        while has_more:
            page = self._fetch()
            self._check_order(page)
            self.copy.apply(page)
            self.told += _entries(page)
            has_more = page["has_more"]
        self.caught_up.append(self.copy.moment())

    def _fetch(self) -> Json:
        token = {"sync_token": self.copy.token} if self.copy.token else {}
        response = self._user.get("/changes", params={"limit": self._limit, **token})
        if response.status_code == 410 and token:
            self.resets += 1
            # A new download is not reset unless there is another purge.
            assert self.resets <= self._purges.begun
            self.copy = Replica()
            return self._fetch()
        assert response.status_code == 200, response.text
        return response.json()

    def _check_order(self, page: Json) -> None:
        """Check that a page continues after the previous one, and has each id once."""
        entries = _entries(page)
        revisions = sorted(one["revision"] for one in entries)
        assert len({one["id"] for one in entries}) == len(entries) <= self._limit
        assert not revisions or revisions[0] > self.copy.moment().revision
        for part in (page[name] for name in PARTS):
            assert [one["revision"] for one in part] == sorted(one["revision"] for one in part)
        assert entries or not page["has_more"]

    def check(self, journal: Journal) -> None:
        """Compare what the reader received, and its copies, with what the database has noted."""
        for entry in self.told:
            if entry["revision"] in journal.lists:
                assert journal.lists[entry["revision"]] == (entry["id"], "deleted_at" not in entry)
                continue
            write = journal.writes[entry["revision"]]
            assert (write.task_id, write.is_live) == (entry["id"], "deleted_at" not in entry)
            assert not write.is_live or write.after == {name: entry[name] for name in write.after}
        journal.check(self.caught_up)


def test_readers_that_have_caught_up_have_what_the_server_had(around: World) -> None:
    seed, over, purges = choose_seed(), Event(), Purges(around)
    writers = [Writer(around.url, Random(f"{seed} {number}")) for number in range(WRITERS)]  # noqa: S311 - repeatable
    readers = [Reader(around.url, limit, purges) for limit in LIMITS]
    with ThreadPoolExecutor(len(readers) + 1) as reading, ThreadPoolExecutor(WRITERS) as writing:
        others = [reading.submit(one.read, over) for one in readers] + [reading.submit(purges.go_on, over)]
        try:
            for done in [writing.submit(one.write, STEPS) for one in writers]:
                done.result()
        finally:
            over.set()
        for done in others:
            done.result()
    journal = Journal(around.database, "ada")
    for reader in readers:
        reader.check(journal)
        assert reader.caught_up[-1].revision == len(journal.writes) + len(journal.lists)
