"""Many clients on one user: every write has a revision of its own, gap-free, in the order of commit, none lost."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain
from typing import Any

import psycopg

from tests.support.client import Json, User

CLIENTS = 16
WRITES = 40


Write = tuple[int, datetime]


def write_of(task: Json) -> Write:
    """Return the revision of a task's last write, and its time."""
    return task["revision"], datetime.fromisoformat(task["updated_at"])


def together(work: Callable[[int], Any], clients: int = CLIENTS) -> list[Any]:
    """Run the same work in many threads at once; return what each brought."""
    with ThreadPoolExecutor(clients) as threads:
        return list(threads.map(work, range(clients)))


def stored(database: str, user: User) -> list[Write]:
    """Return the revision and time of each of the user's tasks, the deleted ones too, by revision."""
    with psycopg.connect(database) as connection:
        statement = "SELECT revision, updated_at FROM tasks WHERE user_id = %s ORDER BY revision"
        return connection.execute(statement, [user.id], binary=True).fetchall()


def revision_of(user: User) -> int:
    """Return the user's newest revision, as lists tell it."""
    return int(user.get("/tags").headers["ETag"].removeprefix('W/"').removesuffix('"'))


def write_at_random(user: User, shared: list[Json], seed: int) -> list[Write]:
    """Make many writes, some to tasks that others write too; return each one's revision and time."""
    choose = random.Random(seed)  # noqa: S311 - the same choices in every run
    written: list[Write] = []
    for number in range(WRITES):
        task = choose.choice(shared)
        match choose.randrange(4):
            case 0:
                new = user.create(f"{seed}-{number}")
                written.append(write_of(new))
            case 1:
                response = user.patch(task["id"], {"title": f"{seed}-{number}"})
                assert response.status_code == 200, response.text
                written.append(write_of(response.json()))
            case 2:
                # As every client does so, most of these change nothing, and return a revision of somebody else's.
                assert user.patch(task["id"], {"description": "the same"}).status_code == 200
            case _:
                new = user.create("short-lived")
                written.append(write_of(new))
                assert user.request("DELETE", f"/tasks/{new['id']}").status_code == 204
    return written


def test_revisions_have_no_gap_and_no_repeat_and_time_never_runs_backwards(
    server: str, database: str, ada: User, grace: User
) -> None:
    before = grace.create()
    shared = [ada.create(f"shared {number}") for number in range(4)]
    for task in shared:
        ada.patch(task["id"], {"description": "the same"})

    def work(client: int) -> list[Write]:
        with User(server, ada.id) as user:
            return write_at_random(user, shared, client)

    written = sorted(chain.from_iterable(together(work)))
    revisions = [revision for revision, _ in written]
    assert len(set(revisions)) == len(revisions)
    assert [time for _, time in written] == sorted(time for _, time in written)

    rows = stored(database, ada)
    assert [time for _, time in rows] == sorted(time for _, time in rows)
    # Every revision was a creation, a change or a deletion: a deletion's is on its tombstone.
    tombstones = {revision for revision, _ in rows} - set(revisions)
    assert sorted({*range(1, 9), *revisions, *tombstones}) == list(range(1, revision_of(ada) + 1))
    assert grace.get(f"/tasks/{before['id']}").json() == before
    assert revision_of(grace) == 1


def test_a_new_users_first_writes_may_race(server: str, ada: User) -> None:
    def work(_: int) -> int:
        with User(server, ada.id) as user:
            return int(user.create()["revision"])

    assert sorted(together(work, 24)) == list(range(1, 25))
    assert revision_of(ada) == 24


def test_no_update_is_lost_between_clients_that_say_what_they_saw(server: str, ada: User) -> None:
    task = ada.create("0")

    def work(_: int) -> int:
        """Count up, from what is there, as often as nobody came in between."""
        done = 0
        with User(server, ada.id) as user:
            seen = task
            for _ in range(15):
                tag = f'"{seen["revision"]}"'
                response = user.patch(task["id"], {"title": str(int(seen["title"]) + 1)}, headers={"If-Match": tag})
                assert response.status_code in (200, 412), response.text
                done += response.status_code == 200
                seen = response.json() if response.status_code == 200 else response.json()["task"]
        return done

    done = sum(together(work))
    assert done > 0
    assert ada.get(f"/tasks/{task['id']}").json()["title"] == str(done)
    assert revision_of(ada) == done + 1


def test_of_many_deletions_one_succeeds(server: str, ada: User) -> None:
    tasks = [ada.create() for _ in range(5)]

    def work(_: int) -> list[int]:
        with User(server, ada.id) as user:
            return [user.request("DELETE", f"/tasks/{task['id']}").status_code for task in tasks]

    statuses = list(chain.from_iterable(together(work)))
    assert sorted(statuses) == [204] * 5 + [404] * (len(statuses) - 5)
    assert ada.titles() == []
    assert revision_of(ada) == 10


def test_patches_and_deletions_of_one_task_never_wait_for_each_other_in_a_circle(server: str, ada: User) -> None:
    task = ada.create()

    def work(client: int) -> set[int]:
        with User(server, ada.id) as user:
            if client % 2:
                return {user.patch(task["id"], {"title": f"{client}-{number}"}).status_code for number in range(60)}
            # Refused, but only after it has locked all that a deletion locks.
            path, headers = f"/tasks/{task['id']}", {"If-Match": '"0"'}
            return {user.request("DELETE", path, headers=headers).status_code for _ in range(60)}

    assert set(chain.from_iterable(together(work))) == {200, 412}
    assert revision_of(ada) == 1 + 60 * CLIENTS // 2
