"""Lists have an order, in which they can be moved as tasks can."""

from uuid import uuid4

import httpx
import pytest

from tests.support.client import Json, User
from tests.support.concurrency import together
from tests.support.lists import create_list, delete_list, listed


def create_each(user: User, names: str) -> dict[str, Json]:
    """Create a list for each letter, and return them by their names."""
    return {name: create_list(user, name) for name in names}


def move(user: User, one: Json, **spot: Json) -> httpx.Response:
    """Move a list to a spot, such as `before=another`. Lists stand for their ids."""
    body = {name: value["id"] if isinstance(value, dict) else value for name, value in spot.items()}
    return user.request("POST", f"/lists/{one['id']}/move", json=body)


def order(user: User) -> str:
    """Return the names of the lists in their order, as one word."""
    return "".join(one["name"] for one in listed(user))


@pytest.mark.parametrize(
    ("spot", "after"),
    [
        ({"before": "a"}, "cabd"),
        ({"after": "a"}, "acbd"),
        ({"at": "first"}, "cabd"),
        ({"at": "last"}, "abdc"),
        ({}, "abdc"),
    ],
    ids=str,
)
def test_a_list_is_moved_and_no_other_list_changes(ada: User, spot: Json, after: str) -> None:
    lists = create_each(ada, "abcd")
    response = move(ada, lists["c"], **{side: lists.get(anchor, anchor) for side, anchor in spot.items()})
    assert (response.status_code, response.headers["ETag"], order(ada)) == (200, '"5"', after)
    assert [one for one in listed(ada) if one["name"] != "c"] == [lists[name] for name in "abd"]
    assert ada.revision() == 5


def test_a_list_that_is_there_already_is_not_changed(ada: User) -> None:
    lists = create_each(ada, "abc")
    assert move(ada, lists["b"], after=lists["a"]).json() == lists["b"]
    assert move(ada, lists["a"], at="first").json() == lists["a"]
    assert move(ada, lists["c"]).json() == lists["c"]
    assert ada.revision() == 3


def test_a_missing_anchor_and_a_missing_list(ada: User) -> None:
    lists = create_each(ada, "abc")
    delete_list(ada, lists["b"])
    for anchor in (lists["a"], lists["b"], {"id": str(uuid4())}):
        refused = move(ada, lists["a"], before=anchor)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem-type:todo-api:no-such-anchor")
        assert refused.json()["detail"].startswith("The id in before or after must be that of another list.")
    for one in (lists["b"], {"id": str(uuid4())}):
        assert move(ada, one, at="first").status_code == 404
    stale = ada.request("POST", f"/lists/{lists['c']['id']}/move", json={}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert order(ada) == "ac"


def test_a_tie_is_mended_by_a_move_between(ada: User) -> None:
    lists = create_each(ada, "abc")
    for name in "ab":
        ada.request("PATCH", f"/lists/{lists[name]['id']}", json={"position": "k"})
    before = ada.revision()
    assert move(ada, lists["c"], after=lists["a"]).json()["revision"] == before + 2
    assert order(ada) == "acb"
    assert len({one["position"] for one in listed(ada)}) == 3


def test_moves_at_once_all_succeed_and_never_tie(ada: User) -> None:
    names = "abcdefghij"
    lists, anchor = create_each(ada, names), create_list(ada, "-")
    statuses = together(lambda number: move(ada, lists[names[number]], after=anchor).status_code, len(names))
    assert {*statuses} == {200}
    assert len({one["position"] for one in listed(ada)}) == len(names) + 1
    assert order(ada)[0] == "-"
