"""Many clients write for one user: each write has its own revision, gap-free and in commit order, and none is lost."""

import random
from datetime import datetime
from itertools import chain

import psycopg

from tests.support.client import Json, User
from tests.support.concurrency import together

CLIENTS = 16
WRITES = 40


Write = tuple[int, datetime]


def write_of(task: Json) -> Write:
    """Return the revision of a task's last write, and its time."""
    return task["revision"], datetime.fromisoformat(task["updated_at"])


def stored(database: str, user: User) -> list[Write]:
    """Return the revision and time of each of the user's tasks, including deleted ones, ordered by revision."""
    with psycopg.connect(database) as connection:
        statement = "SELECT revision, updated_at FROM tasks WHERE user_id = %s ORDER BY revision"
        return connection.execute(statement, [user.id], binary=True).fetchall()


def write_at_random(user: User, shared: list[Json], seed: int) -> list[Write]:
    """Make many writes, some to tasks that other clients write too; return the revision and time of each."""
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
                # The shared tasks already have this description: the response shows the revision of another write.
                assert user.patch(task["id"], {"description": "the same"}).status_code == 200
            case _:
                new = user.create("short-lived")
                written.append(write_of(new))
                assert user.request("DELETE", f"/tasks/{new['id']}").status_code == 204
    return written


def test_revisions_have_no_gaps_and_no_repeats_and_their_times_never_go_backwards(
    server: str, database: str, ada: User, grace: User
) -> None:
    before = grace.create()
    shared = [ada.create(f"shared {number}") for number in range(4)]
    for task in shared:
        ada.patch(task["id"], {"description": "the same"})

    def work(client: int) -> list[Write]:
        with User(server, ada.id) as user:
            return write_at_random(user, shared, client)

    written = sorted(chain.from_iterable(together(work, CLIENTS)))
    revisions = [revision for revision, _ in written]
    assert len(set(revisions)) == len(revisions)
    assert [time for _, time in written] == sorted(time for _, time in written)

    rows = stored(database, ada)
    assert [time for _, time in rows] == sorted(time for _, time in rows)
    # Every revision belongs to a creation, a change or a deletion; the tombstone keeps that of the deletion.
    tombstones = {revision for revision, _ in rows} - set(revisions)
    assert sorted({*range(1, 9), *revisions, *tombstones}) == list(range(1, ada.revision() + 1))
    assert grace.get(f"/tasks/{before['id']}").json() == before
    assert grace.revision() == 1


def test_concurrent_first_writes_of_a_new_user_all_succeed(server: str, ada: User) -> None:
    def work(_: int) -> int:
        with User(server, ada.id) as user:
            return int(user.create()["revision"])

    assert sorted(together(work, 24)) == list(range(1, 25))
    assert ada.revision() == 24


def test_no_update_is_lost_between_clients_that_send_if_match(server: str, ada: User) -> None:
    task = ada.create("0")

    def work(_: int) -> int:
        """Increment the number in the title, rereading it after a conflict; return how often that succeeded."""
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

    done = sum(together(work, CLIENTS))
    assert done > 0
    assert ada.get(f"/tasks/{task['id']}").json()["title"] == str(done)
    assert ada.revision() == done + 1


def test_exactly_one_of_many_concurrent_deletions_succeeds(server: str, ada: User) -> None:
    tasks = [ada.create() for _ in range(5)]

    def work(_: int) -> list[int]:
        with User(server, ada.id) as user:
            return [user.request("DELETE", f"/tasks/{task['id']}").status_code for task in tasks]

    statuses = list(chain.from_iterable(together(work, CLIENTS)))
    assert sorted(statuses) == [204] * 5 + [404] * (len(statuses) - 5)
    assert ada.titles() == []
    assert ada.revision() == 10


def test_concurrent_patches_and_deletions_of_one_task_never_deadlock(server: str, ada: User) -> None:
    task = ada.create()

    def work(client: int) -> set[int]:
        with User(server, ada.id) as user:
            if client % 2:
                return {user.patch(task["id"], {"title": f"{client}-{number}"}).status_code for number in range(60)}
            # The response is a 412, but only after the statement has locked everything that a deletion locks.
            path, headers = f"/tasks/{task['id']}", {"If-Match": '"0"'}
            return {user.request("DELETE", path, headers=headers).status_code for _ in range(60)}

    assert set(chain.from_iterable(together(work, CLIENTS))) == {200, 412}
    assert ada.revision() == 1 + 60 * CLIENTS // 2
