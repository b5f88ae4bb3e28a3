"""Moves among subtasks: the siblings of a task are those with its parent, or those at the top of its list."""

from uuid import uuid4

import pytest

from tests.support.arranging import move, moved
from tests.support.client import Json, User
from tests.support.concurrency import together
from tests.support.lists import create_list
from tests.support.subtasks import create, family, now, refused, subtasks_of


def parent_of(user: User, titles: str, **members: Json) -> tuple[Json, dict[str, Json]]:
    """Create a task with subtasks, one for each letter, and return it and them by their titles."""
    top = create(user, title="top", **members)
    return top, {title: create(user, top, title) for title in titles}


def order(user: User, task: Json) -> str:
    """Return the titles of the subtasks in their order, as one word."""
    return "".join(one["title"] for one in subtasks_of(user, task))


@pytest.mark.parametrize(
    ("spot", "after"),
    [
        ({"before": "a"}, "cabd"),
        ({"after": "a"}, "acbd"),
        ({"at": "first"}, "cabd"),
        ({}, "abdc"),
        ({"after": "d"}, "abdc"),
    ],
    ids=str,
)
@pytest.mark.parametrize("named", [True, False])
def test_a_subtask_is_moved_among_its_siblings(ada: User, spot: Json, after: str, named: bool) -> None:
    top, below = parent_of(ada, "abcd")
    create(ada, title="other")
    place = {side: below.get(anchor, anchor) for side, anchor in spot.items()}
    task = moved(ada, below["c"], **place, **({"parent_id": top} if named else {}))
    assert order(ada, top) == after
    assert (task["parent_id"], task["revision"]) == (top["id"], ada.revision())
    assert [now(ada, below[title]) for title in "abd"] == [below[title] for title in "abd"]


def test_a_task_at_the_top_is_moved_among_those_at_the_top(ada: User) -> None:
    first, below = parent_of(ada, "ab")
    second, third = create(ada, title="second"), create(ada, title="third")
    assert moved(ada, third, after=first)["position"] < second["position"]
    assert moved(ada, third, at="first")["position"] < first["position"]
    assert refused(move(ada, third, before=below["a"])) == "no-such-anchor"
    assert refused(move(ada, below["a"], before=third)) == "no-such-anchor"


def test_a_task_is_moved_under_another_one_at_a_place(ada: User) -> None:
    home = create_list(ada)["id"]
    top, below = parent_of(ada, "ab", list_id=home)
    task = create(ada, title="x")
    child = create(ada, task)
    result = moved(ada, task, parent_id=top, before=below["b"])
    assert order(ada, top) == "axb"
    assert (result["parent_id"], result["list_id"], now(ada, child)["list_id"]) == (top["id"], home, home)
    ada.delete(top["id"])
    assert ada.get(f"/tasks/{child['id']}").status_code == 404


def test_a_subtask_is_moved_under_another_parent_or_to_the_top(ada: User) -> None:
    home = create_list(ada)["id"]
    one, below = parent_of(ada, "ab")
    other, there = parent_of(ada, "cd", list_id=home)
    grandchild = create(ada, below["a"])
    moved(ada, below["a"], parent_id=other, after=there["c"])
    assert (order(ada, one), order(ada, other)) == ("b", "cad")
    assert now(ada, grandchild)["list_id"] == home
    back = moved(ada, below["a"], parent_id=None, at="first")
    assert (back["parent_id"], back["list_id"]) == (None, home)
    assert back["position"] < other["position"]
    inbox = moved(ada, there["c"], parent_id=None, list_id=None, before=one)
    assert (inbox["parent_id"], inbox["list_id"]) == (None, None)
    assert inbox["position"] < one["position"]


def test_a_place_that_does_not_go_with_the_parent_is_refused(ada: User) -> None:
    home = create_list(ada)["id"]
    top, child, grandchild = family(ada)
    task = create(ada)
    assert refused(move(ada, child, list_id=home)) == "list-of-parent"
    assert refused(move(ada, task, list_id=home, parent_id=top)) == "list-of-parent"
    assert refused(move(ada, task, parent_id=str(uuid4()))) == "no-such-parent"
    assert refused(move(ada, task, parent_id=grandchild)) == "too-deep"
    assert refused(move(ada, top, parent_id=grandchild)) == "parent-cycle"
    assert refused(move(ada, task, parent_id=top, before=grandchild)) == "no-such-anchor"
    assert move(ada, {"id": str(uuid4())}, parent_id=top).status_code == 404
    assert now(ada, task) == task
    assert moved(ada, child, list_id=None)["parent_id"] == top["id"]


def test_a_subtask_that_is_in_its_place_keeps_its_revision(ada: User) -> None:
    top, below = parent_of(ada, "abc")
    assert moved(ada, below["b"], parent_id=top, after=below["a"]) == below["b"]
    assert moved(ada, below["c"]) == below["c"]


def test_siblings_get_new_positions_if_there_is_no_room(ada: User) -> None:
    top, below = parent_of(ada, "abc")
    for title in "ab":
        ada.patch(below[title]["id"], {"position": "m5"})
    first, second = sorted((below["a"], below["b"]), key=lambda task: task["id"])
    moved(ada, below["c"], after=first)
    assert order(ada, top) == f"{first['title']}c{second['title']}"
    assert len({one["position"] for one in subtasks_of(ada, top)}) == 3


def test_devices_that_move_subtasks_at_once_all_succeed_and_never_tie(ada: User) -> None:
    top, below = parent_of(ada, "abcdefgh")
    together(lambda turn: moved(ada, below["bcdefgh"[turn]], after=below["a"]), 7)
    found = subtasks_of(ada, top)
    assert found[0]["title"] == "a"
    assert len({one["position"] for one in found}) == 8
