"""Writes of single tasks and of sets at the same time: each change has its own revision, and none is lost."""

import random

import psycopg
import pytest

from tests.support.client import User
from tests.support.turns import together

CLIENTS = 12
WRITES = 25
TAGS = ["a", "b", "c"]


def write_at_random(user: User, choose: random.Random) -> int:
    """Make one write, and return how many tasks it changed."""
    tag, other = choose.sample(TAGS, 2)
    match choose.randrange(7):
        case 0 | 1 | 2:
            user.create(tags=choose.sample(TAGS, 2))
            return 1
        case 3:
            response = user.request(
                "PATCH", f"/tasks?tags={tag}", json={"remove_tags": [tag], "add_tags": [other, "d"]}
            )
        case 4:
            response = user.request("PATCH", f"/tags?name={tag}", json={"name": other})
        case 5:
            response = user.request("DELETE", f"/tags?name={tag}")
        case _:
            response = user.request("DELETE", f"/tasks?tags={tag}&tags=d&tag_match=all")
            if choose.random() < 0.5 and (deletion_id := response.json()["deletion_id"]):
                restored = user.request("POST", "/trash/restore", json={"deletion_id": deletion_id})
                assert restored.status_code == 200, restored.text
                assert restored.json()["changed"] == response.json()["changed"]
                return int(response.json()["changed"]) * 2
    assert response.status_code in (200, 404), response.text
    return int(response.json().get("changed", 0))


@pytest.mark.parametrize("seed", range(2))
def test_every_change_takes_one_revision_and_no_two_tasks_share_one(
    server: str, database: str, ada: User, seed: int
) -> None:
    def work(client: int) -> int:
        choose = random.Random(seed * CLIENTS + client)  # noqa: S311 - the same choices in every run
        with User(server, ada.id) as user:
            return sum(write_at_random(user, choose) for _ in range(WRITES))

    changed = sum(together(work, CLIENTS))
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT revision, updated_at FROM tasks WHERE user_id = %s ORDER BY revision", [ada.id], binary=True
        ).fetchall()
    revisions, times = [row[0] for row in rows], [row[1] for row in rows]
    assert len(set(revisions)) == len(revisions)
    assert times == sorted(times)
    assert ada.get("/tags").headers["ETag"] == f'W/"{changed}"'
    assert changed >= revisions[-1] > CLIENTS * WRITES // 3
