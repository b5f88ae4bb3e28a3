"""Moving puts a task before or after another one, or first or last, and changes no other task."""

from itertools import permutations
from uuid import uuid4

import pytest

from tests.support.arranging import arranged, create_each, move, moved, order, positions
from tests.support.batches import create, run
from tests.support.client import Json, User
from tests.support.tasks import STAMPS, without


def test_new_tasks_come_last_however_they_are_created(ada: User) -> None:
    ada.create("a")
    ada.put(str(uuid4()), {"title": "b"})
    run(ada, create(title="c"), create(title="d"))
    ada.request("POST", "/tasks", json={"title": "e"}, headers={"Idempotency-Key": uuid4().hex})
    assert order(ada) == "abcde"
    assert len({*positions(ada)}) == 5


@pytest.mark.parametrize(
    ("spot", "after"),
    [
        ({"before": "a"}, "cabd"),
        ({"before": "b"}, "acbd"),
        ({"after": "a"}, "acbd"),
        ({"after": "d"}, "abdc"),
        ({"at": "first"}, "cabd"),
        ({"at": "last"}, "abdc"),
        ({}, "abdc"),
    ],
    ids=str,
)
def test_a_task_is_moved_and_no_other_task_changes(ada: User, spot: Json, after: str) -> None:
    tasks = create_each(ada, "abcd")
    named = {side: tasks.get(anchor, anchor) for side, anchor in spot.items()}
    task = moved(ada, tasks["c"], **named)
    assert order(ada) == after
    assert without(task, "position", *STAMPS) == without(tasks["c"], "position", *STAMPS)
    assert task["revision"] == ada.revision() == 5
    assert task["updated_at"] > tasks["c"]["updated_at"]
    assert [ada.read(tasks[title]) for title in "abd"] == [tasks[title] for title in "abd"]


def test_every_order_can_be_made(ada: User) -> None:
    tasks = create_each(ada, "abc")
    for wanted in permutations("abc"):
        for title in wanted:
            moved(ada, tasks[title], at="last")
        assert order(ada) == "".join(wanted)


def test_a_move_has_the_tasks_entity_tag(ada: User) -> None:
    tasks = create_each(ada, "ab")
    response = move(ada, tasks["b"], before=tasks["a"])
    assert response.headers["ETag"] == '"3"'
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert ada.read(tasks["b"]) == response.json()


@pytest.mark.parametrize("spot", [{"after": "a"}, {"before": "c"}], ids=str)
def test_a_task_that_is_there_already_is_not_changed(ada: User, spot: Json) -> None:
    tasks = create_each(ada, "abc")
    assert moved(ada, tasks["b"], **{side: tasks[anchor] for side, anchor in spot.items()}) == tasks["b"]
    assert moved(ada, tasks["a"], at="first") == tasks["a"]
    assert moved(ada, tasks["c"], at="last") == tasks["c"]
    assert ada.revision() == 3


def test_an_only_task_is_first_and_last(ada: User) -> None:
    task = ada.create()
    assert moved(ada, task, at="first") == moved(ada, task, at="last") == task


def test_new_tasks_come_after_what_was_moved_last(ada: User) -> None:
    tasks = create_each(ada, "abc")
    moved(ada, tasks["a"], at="last")
    moved(ada, tasks["b"], after=tasks["a"])
    ada.create("d")
    assert order(ada) == "cabd"


def test_positions_stay_short_when_tasks_are_moved_to_the_ends(ada: User) -> None:
    tasks = create_each(ada, "ab")
    for _ in range(20):
        for title in "ab":
            moved(ada, tasks[title], at="first")
        for title in "ab":
            moved(ada, tasks[title], at="last")
    assert {len(position) for position in positions(ada)} == {13}


def test_a_missing_anchor_is_a_conflict(ada: User, grace: User) -> None:
    tasks, other = create_each(ada, "abc"), grace.create()
    ada.delete(tasks["b"]["id"])
    for anchor in (tasks["b"], other, {"id": str(uuid4())}, tasks["a"]):
        for side in ("before", "after"):
            response = move(ada, tasks["a"], **{side: anchor})
            assert response.status_code == 409
            assert response.json()["type"] == "urn:problem-type:todo-api:no-such-anchor"
            assert response.json()["detail"] == (
                "The id in before or after must be that of another task, with the list_id and the parent_id that the "
                "moved task will have. That task may have been moved or deleted. Read the tasks again."
            )
    assert (order(ada), ada.revision()) == ("ac", 4)


def test_a_move_to_several_places_is_one_error(ada: User) -> None:
    tasks = create_each(ada, "abc")
    both = move(ada, tasks["c"], before=tasks["a"], at="last")
    detail = "cannot be combined with at: send only one of them"
    assert both.json()["errors"] == [{"in": "body", "pointer": "/before", "detail": detail}]
    each = move(ada, tasks["c"], before=tasks["a"], after=tasks["b"], at="first")
    detail = "cannot be combined with after and at: send only one of them"
    assert each.json()["errors"] == [{"in": "body", "pointer": "/before", "detail": detail}]


def test_only_a_live_task_of_the_user_can_be_moved(ada: User, grace: User) -> None:
    tasks, other = create_each(ada, "ab"), grace.create()
    ada.delete(tasks["b"]["id"])
    for task in (tasks["b"], other, {"id": str(uuid4())}):
        assert move(ada, task, before=tasks["a"]).status_code == 404
    assert ada.revision() == 3


def test_a_user_who_has_never_written_has_no_task_to_move(ada: User) -> None:
    assert move(ada, {"id": str(uuid4())}, at="first").status_code == 404
    assert ada.revision() == 0


def test_a_move_with_if_match_needs_the_current_revision(ada: User) -> None:
    tasks = create_each(ada, "ab")
    path = f"/tasks/{tasks['b']['id']}/move"
    refused = ada.request("POST", path, json={"at": "first"}, headers={"If-Match": '"1"'})
    assert (refused.status_code, refused.json()["task"]) == (412, tasks["b"])
    assert order(ada) == "ab"
    assert ada.request("POST", path, json={"at": "first"}, headers={"If-Match": '"2"'}).status_code == 200
    assert order(ada) == "ba"


def test_a_move_is_a_change(ada: User) -> None:
    tasks = create_each(ada, "ab")
    token = ada.sync_token()
    task = moved(ada, tasks["b"], at="first")
    assert ada.get("/changes", params={"sync_token": token}).json()["tasks"] == [task]


def test_a_deleted_task_comes_back_to_its_place(ada: User) -> None:
    tasks = create_each(ada, "abc")
    ada.delete(tasks["b"]["id"])
    ada.request("POST", f"/trash/{tasks['b']['id']}/restore")
    assert order(ada) == "abc"


def test_an_offline_client_sets_positions_itself(ada: User) -> None:
    tasks = create_each(ada, "abc")
    between = tasks["a"]["position"] + "V"
    assert ada.patch(tasks["c"]["id"], {"position": between}).json()["position"] == between
    assert order(ada) == "acb"
    last = tasks["b"]["position"] + "V"
    ada.put(tasks["a"]["id"], {"title": "a", "position": last})
    ada.create("d")
    assert order(ada) == "cbad"


def test_a_new_task_may_have_a_position_of_its_own(ada: User) -> None:
    tasks = create_each(ada, "ab")
    ada.create("c", position=tasks["a"]["position"] + "V")
    run(ada, create(title="d", position="a"))
    ada.put(str(uuid4()), {"title": "e", "position": "z"})
    assert order(ada) == "dacbe"


def test_a_position_beyond_those_of_new_tasks_stays_there(ada: User) -> None:
    ada.create("a", position="0")
    ada.create("b", position="zz")
    ada.create("c")
    ada.request("PATCH", "/preferences", json={"new_tasks": "first"})
    ada.create("d")
    assert order(ada) == "adcb"


def test_a_replacement_without_a_position_keeps_it(ada: User) -> None:
    tasks = create_each(ada, "ab")
    task = moved(ada, tasks["b"], at="first")
    assert ada.put(task["id"], {"title": "b"}).json() == task
    run(ada, {"op": "replace", "id": task["id"], "task": {"title": "b"}})
    assert ada.read(task) == task


def test_tasks_are_paged_in_their_order(ada: User) -> None:
    tasks = create_each(ada, "abcdefg")
    for title in "gbd":
        moved(ada, tasks[title], at="first")
    wanted = [task["id"] for task in arranged(ada)]
    for direction, ids in (("asc", wanted), ("desc", wanted[::-1])):
        query: Json = {"sort_by": "position", "sort_direction": direction, "limit": 2}
        found: list[Json] = []
        cursor = None
        while not found or cursor:
            page = ada.get("/tasks", params=query | ({"cursor": cursor} if cursor else {})).json()
            found += [task["id"] for task in page["tasks"]]
            cursor = page["next_cursor"]
        assert found == ids
