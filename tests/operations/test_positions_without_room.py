"""Where there is no room between two tasks, a move gives new positions to as few tasks as it can."""

import psycopg
import pytest

from storage.positions import between
from tests.support.arranging import arranged, create_each, moved, order, positions
from tests.support.client import Json, User


def changed_since(user: User, revision: int) -> list[Json]:
    """Return the tasks that have changed since a revision, in the order of their own revisions."""
    found = [task for task in arranged(user) if task["revision"] > revision]
    return sorted(found, key=lambda task: task["revision"])


def tie(user: User, *tasks: Json, position: str) -> None:
    """Give tasks the same position, as clients that were offline do."""
    for task in tasks:
        assert user.patch(task["id"], {"position": position}).status_code == 200


def test_tasks_with_one_position_are_in_the_order_of_their_ids(ada: User) -> None:
    tasks = create_each(ada, "abc")
    tie(ada, tasks["c"], tasks["a"], tasks["b"], position="k")
    assert order(ada) == "abc"
    page = ada.get("/tasks", params={"sort_by": "position", "sort_direction": "desc", "limit": 1}).json()
    assert page["tasks"][0]["title"] == "c"


@pytest.mark.parametrize("position", ["a", "k", "lz", "m00000000000b", "z"])
@pytest.mark.parametrize(
    ("spot", "after"), [({"after": "a"}, "aebcd"), ({"before": "c"}, "abecd"), ({"after": "d"}, "abcde")], ids=str
)
def test_a_tie_is_mended_by_a_move_between(ada: User, position: str, spot: Json, after: str) -> None:
    tasks = create_each(ada, "abcde")
    tie(ada, *(tasks[title] for title in "abcd"), position=position)
    moved(ada, tasks["e"], **{side: tasks[anchor] for side, anchor in spot.items()})
    assert order(ada) == after
    for title in "abcd":
        moved(ada, tasks[title], at="last")
    assert len({*positions(ada)}) == 5


def test_mending_a_tie_changes_as_few_tasks_as_it_can(ada: User) -> None:
    tasks = create_each(ada, "abcdefgh")
    tie(ada, tasks["d"], tasks["e"], position=tasks["d"]["position"])
    before = ada.revision()
    task = moved(ada, tasks["h"], after=tasks["d"])
    assert order(ada) == "abcdhefg"
    assert len({*positions(ada)}) == 8
    assert [one["title"] for one in changed_since(ada, before)] == ["d", "h"]
    assert (task["revision"], ada.revision()) == (before + 2, before + 2)


def test_a_task_that_is_tied_is_moved_out_of_the_tie(ada: User) -> None:
    tasks = create_each(ada, "abc")
    tie(ada, tasks["a"], tasks["b"], position="k")
    moved(ada, tasks["b"], before=tasks["a"])
    assert order(ada) == "bac"
    moved(ada, tasks["a"], before=tasks["b"])
    assert order(ada) == "abc"
    assert len({*positions(ada)}) == 3


def test_a_thousand_moves_to_one_spot(database: str, ada: User) -> None:
    tasks = create_each(ada, "ab")
    low, high = tasks["a"]["position"], tasks["b"]["position"]
    nested = []
    while middle := between(low, high):
        nested.append(middle)
        high = middle
    assert len(nested) > 1_000
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO tasks"
            " (user_id, id, revision, title, completed, priority, tags, created_at, updated_at, position)"
            " SELECT %s, gen_random_uuid(), 2 + n, 'n', false, 2, '{}', now(), now(), position"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS nested (position, n)",
            [ada.id, nested],
        )
        connection.execute("UPDATE accounts SET revision = %s WHERE user_id = %s", [2 + len(nested), ada.id])
    task = moved(ada, ada.create("c"), after=tasks["a"])
    assert ada.read(tasks["a"]) == tasks["a"]
    assert ada.read(tasks["b"]) == tasks["b"]
    assert task["revision"] == ada.revision() <= 3 + len(nested) + len(nested) + 1
    changes = ada.get("/changes", params={"limit": 1000}).json()
    rest = ada.get("/changes", params={"limit": 1000, "sync_token": changes["sync_token"]}).json()
    found = sorted([*changes["tasks"], *rest["tasks"]], key=lambda one: one["position"])
    assert len(found) == len({one["position"] for one in found}) == len(nested) + 3
    assert [one["id"] for one in found[:2]] == [tasks["a"]["id"], task["id"]]
    assert found[-1]["id"] == tasks["b"]["id"]
    assert max(len(one["position"]) for one in found) <= 64
