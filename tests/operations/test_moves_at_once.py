"""Moves that arrive together all succeed, and no two tasks get the same position."""

from pathlib import Path

import pytest

from tests.support.arranging import arranged, create_each, move, order, positions
from tests.support.client import User
from tests.support.concurrency import in_turn, together
from tests.support.server import serve

AT_ONCE = 20
LETTERS = "abcdefghijklmnopqrst"


def test_many_devices_move_tasks_to_one_spot(ada: User) -> None:
    tasks, anchor = create_each(ada, LETTERS), ada.create("anchor")

    def one(number: int) -> int:
        return move(ada, tasks[LETTERS[number]], **{("before", "after")[number % 2]: anchor}).status_code

    assert together(one, AT_ONCE) == [200] * AT_ONCE
    assert len({*positions(ada)}) == AT_ONCE + 1
    assert ada.revision() == 2 * AT_ONCE + 1
    titles = order(ada)
    assert {*titles[: AT_ONCE // 2]} == {*LETTERS[::2]}
    assert {*titles[-AT_ONCE // 2 :]} == {*LETTERS[1::2]}


@pytest.mark.parametrize("at", ["first", "last"])
def test_many_devices_move_tasks_to_an_end_while_others_create_tasks(ada: User, at: str) -> None:
    tasks = create_each(ada, LETTERS)

    def one(number: int) -> int:
        if number % 2:
            return int(bool(ada.create("new")))
        return move(ada, tasks[LETTERS[number]], at=at).status_code

    together(one, AT_ONCE)
    assert len({*positions(ada)}) == len(arranged(ada)) == AT_ONCE * 3 // 2


def test_moves_to_anywhere_leave_no_gap_and_no_tie(ada: User) -> None:
    tasks = create_each(ada, LETTERS)
    pairs = [(title, LETTERS[number * 7 % AT_ONCE - 1]) for number, title in enumerate(LETTERS)]
    pairs = [(title, anchor) for title, anchor in pairs if title != anchor]

    def one(number: int) -> int:
        title, anchor = pairs[number]
        response = move(ada, tasks[title], **{("before", "after")[number % 2]: tasks[anchor]})
        assert response.status_code == 200
        return int(response.json()["revision"])

    revisions = {*together(one, len(pairs))} - {*range(1, AT_ONCE + 1)}
    assert revisions == {*range(AT_ONCE + 1, ada.revision() + 1)}
    assert len({*positions(ada)}) == AT_ONCE


def test_two_servers_move_two_tasks_to_one_spot(tmp_path: Path, database: str, ada: User) -> None:
    tasks = create_each(ada, "abcd")
    with serve(tmp_path, DATABASE_URL=database) as other, User(other, ada.id) as tablet:
        first, second = in_turn(
            database,
            ada.id,
            lambda: move(ada, tasks["c"], after=tasks["a"]),
            lambda: move(tablet, tasks["d"], after=tasks["a"]),
        )
    assert (first.status_code, second.status_code) == (200, 200)
    assert order(ada) == "adcb"


def test_an_anchor_that_another_device_deletes_meanwhile_is_missing(tmp_path: Path, database: str, ada: User) -> None:
    tasks = create_each(ada, "abc")
    with serve(tmp_path, DATABASE_URL=database) as other, User(other, ada.id) as tablet:
        deleted, refused = in_turn(
            database,
            ada.id,
            lambda: ada.delete(tasks["a"]["id"]),
            lambda: move(tablet, tasks["c"], after=tasks["a"]),
        )
    assert (deleted.status_code, refused.status_code) == (204, 409)
    assert order(ada) == "bc"
