"""Three devices of one user in a hostile world, until they agree."""

import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import chain, cycle
from pathlib import Path
from random import Random, SystemRandom
from threading import Event

from tests.support.client import Json, User
from tests.support.crashes import PATIENCE
from tests.support.sync.audit import explain
from tests.support.sync.device import Device
from tests.support.sync.hand import Hand
from tests.support.sync.journal import Journal
from tests.support.sync.network import Network, network
from tests.support.sync.organiser import Organiser
from tests.support.sync.relations import check_relations
from tests.support.sync.replica import Moment, moment_at
from tests.support.sync.world import World, world

NAMES = ("phone", "tablet", "laptop")
USER = "ada"
DISTURBANCES = ("reset_sync", "restart", "cut_listener", "crash_database", "purge_trash")
"""What goes wrong, one after the other: methods of World."""
# The most edits that a user makes on a device between two rounds.
EDITS = 10
# The sizes of the pages that a device fetches.
LIMITS = (3, 30, 500)


def choose_seed() -> int:
    """Return SYNC_SEED of the environment, or a new seed, and print it for the report of a test that fails."""
    seed = int(os.environ.get("SYNC_SEED") or SystemRandom().getrandbits(32))
    print(f"To repeat this run, set SYNC_SEED={seed}")  # noqa: T201 - shown if the test fails
    return seed


class Trial:
    """Devices, each with its hand, network and dice. `at_once` devices synchronise at the same time.

    If it is 1, the seed decides everything but how long a crash takes. Otherwise it decides what each device does, but
    not who comes first.
    Another device, the follower, only waits for changes.
    """

    def __init__(self, around: World, seed: int, at_once: int, stack: ExitStack) -> None:
        self.world = around
        self.seed = seed
        self.dice = Random(f"{seed}")  # noqa: S311 - repeatable
        self.counts: Counter[str] = Counter()
        self.caught_up: list[Moment] = []
        self.networks: list[Network] = []
        self.devices: list[Device] = []
        self.hands: list[Hand] = []
        for name in NAMES:
            self.devices.append(self._add_device(name, stack))
            self.hands.append(Hand(name, self.devices[-1], Random(f"{seed} {name}")))  # noqa: S311 - repeatable
        self.follower = self._add_device("follower", stack)
        # Also on a network of its own: an answer that gets lost does not matter.
        self.organiser = Organiser(self._add_user("organiser", stack), Random(f"{seed} organiser"))  # noqa: S311
        self._threads = stack.enter_context(ThreadPoolExecutor(at_once))
        self._over = Event()
        self._following = stack.enter_context(ThreadPoolExecutor(1)).submit(self._follow)

    def _add_device(self, name: str, stack: ExitStack) -> Device:
        return Device(self._add_user(name, stack), Random(f"{self.seed} {name} device"))  # noqa: S311 - repeatable

    def _add_user(self, name: str, stack: ExitStack) -> User:
        dice = Random(f"{self.seed} {name} network")  # noqa: S311 - repeatable
        self.networks.append(stack.enter_context(network(self.world.url, dice)))
        user = stack.enter_context(User(self.networks[-1].url, USER))
        user.http.headers["Connection"] = "close"
        return user

    def run_round(self, disturbance: str | None) -> None:
        """Let users edit, some devices synchronise, and perhaps one thing go wrong meanwhile."""
        for hand in self.hands:
            hand.work(self.dice.randint(0, EDITS))
        if disturbance == "purge_trash":
            self._prepare_purge()
        jobs: list[Callable[[], object]] = [] if disturbance is None else [partial(self._disturb, disturbance)]
        online = [device for device in self.devices if self.dice.random() < 0.7]
        jobs += [partial(self._sync, device, self.dice.choice(LIMITS)) for device in online]
        jobs.append(partial(self.organiser.work, self.dice.randint(0, 3)))
        self.dice.shuffle(jobs)
        for done in [self._threads.submit(job) for job in jobs]:
            done.result()

    def _sync(self, device: Device, limit: int = LIMITS[-1], wait: int = 0) -> bool:
        """Synchronise a device, and note what it has when it has caught up."""
        is_in_step = device.sync(limit, wait)
        if is_in_step:
            self.caught_up.append(device.store.copy.moment())
        self.counts["in step" if is_in_step else "failed"] += 1
        return is_in_step

    def _prepare_purge(self) -> None:
        """Let the retention of all that is deleted be over, but not while a request is on its way to create it."""
        for one in self.networks:
            one.deliver_late()
        pushes = [device.store.pushed for device in self.devices]
        self.world.age_trash(edit.task_id for push in pushes if push for edit in push.edits)

    def _disturb(self, name: str) -> None:
        getattr(self.world, name)()
        self.counts[name] += 1

    def _follow(self) -> None:
        """Let the follower wait for changes, again and again."""
        while not self._over.is_set():
            if not self._sync(self.follower, wait=10):
                time.sleep(0.05)

    def settle(self) -> None:
        """Calm the networks, and let all devices catch up."""
        for one in self.networks:
            one.is_calm = True
            one.deliver_late()
        for device in self.devices * 2:
            deadline = time.monotonic() + PATIENCE
            while not self._sync(device):
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def end(self) -> None:
        """End the service and the follower, and raise what the follower raised."""
        self._over.set()
        self.world.kill()
        self._following.result()

    def check(self) -> None:
        """Compare the devices with the server, and their edits with what the database has noted."""
        tasks, lists = {task["id"]: task for task in self._read_all()}, self._read_lists()
        for hand, device in zip(self.hands, self.devices, strict=True):
            assert device.store.view() == tasks, hand
            assert device.store.copy.lists == lists, hand
            accepted = [one.edit for answer in device.store.answers for one in answer.accepted]
            reported = [conflict.edit for conflict in device.store.conflicts]
            assert Counter(accepted + reported) == Counter(hand.edits)
        self._wait_for_follower(tasks)
        check_relations(tasks, lists)
        journal = Journal(self.world.database, USER)
        self.counts += explain(journal, [answer for device in self.devices for answer in device.store.answers])
        written = {write.task_id: write.after for write in journal.writes.values()}
        assert all(task == {**task, **written[task_id]} for task_id, task in tasks.items())
        assert len(journal.lists) > len(lists) > 0
        journal.check([*self.caught_up, moment_at(journal.head, tasks, lists)])

    def _wait_for_follower(self, tasks: dict[str, Json]) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.follower.store.view() != tasks:
            assert time.monotonic() < deadline
            assert not self._following.done()
            time.sleep(0.05)

    def _read_all(self) -> list[Json]:
        found, query = [], {"limit": "100"}
        with User(self.world.url, USER) as user:
            while True:
                page = user.get("/tasks", params=query).json()
                found += page["tasks"]
                if page["next_cursor"] is None:
                    return found
                query["cursor"] = page["next_cursor"]

    def _read_lists(self) -> dict[str, Json]:
        with User(self.world.url, USER) as user:
            found = user.get("/lists", params={"archived": "include"}).json()["lists"]
        return {one["id"]: one for one in found}

    def summary(self) -> Counter[str]:
        """Return how often what happened."""
        counts = self.counts + sum((one.counts for one in self.networks), Counter[str]())
        counts["resets"] = sum(device.resets for device in self.devices)
        conflicts = [conflict for device in self.devices for conflict in device.store.conflicts]
        counts["conflicts"] = len(conflicts)
        counts += Counter(conflict.problem["type"].rpartition(":")[2] for conflict in conflicts)
        counts["edits"] = sum(len(hand.edits) for hand in self.hands)
        return counts


def run_trial(directory: Path, database: str, *, edits: int, at_once: int, calm_rounds: int) -> Counter[str]:
    """Run devices until they have made so many edits, and return how often what happened. Raises AssertionError.

    Between two rounds with a disturbance there are `calm_rounds` without.
    """
    seed = choose_seed()
    schedule = cycle(chain.from_iterable([*[None] * calm_rounds, name] for name in DISTURBANCES))
    with world(directory, database) as around, ExitStack() as stack:
        trial = Trial(around, seed, at_once, stack)
        try:
            while sum(len(hand.edits) for hand in trial.hands) < edits:
                trial.run_round(next(schedule))
            trial.settle()
            trial.check()
        finally:
            print(trial.summary())  # noqa: T201 - shown if the test fails
            trial.end()
        return trial.summary()
