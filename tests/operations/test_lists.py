"""Lists group tasks: they are created, read, changed and archived like tasks, and have an order."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.client import Json, User
from tests.support.lists import create_list, listed

PALETTE = ["red", "orange", "amber", "yellow", "lime", "green", "teal", "cyan", "blue", "indigo", "purple", "pink"]
A_POSITION = 'must be 1 to 255 letters, digits, "-" or "_", the last of which is not "-"'


def problem(response: httpx.Response) -> tuple[int, str, str]:
    """Return the status, the kind and the detail of a problem."""
    return response.status_code, response.json()["type"].rpartition(":")[2], response.json()["detail"]


def test_a_list_is_created_and_read(ada: User) -> None:
    response = ada.request("POST", "/lists", json={"name": "Groceries"})
    assert response.status_code == 201
    created = response.json()
    assert created == {
        "id": created["id"],
        "user_id": ada.id,
        "name": "Groceries",
        "color": None,
        "position": "m000000000001",
        "archived": False,
        "created_at": created["created_at"],
        "updated_at": created["created_at"],
        "revision": 1,
    }
    assert response.headers["Location"] == f"/api/{ada.id}/lists/{created['id']}"
    assert response.headers["ETag"] == '"1"'
    response = ada.get(f"/lists/{created['id']}")
    assert (response.status_code, response.json(), response.headers["ETag"]) == (200, created, '"1"')
    assert listed(ada) == [created]


@pytest.mark.parametrize("color", [None, *PALETTE])
def test_a_list_may_have_one_of_twelve_colours(ada: User, color: str | None) -> None:
    assert create_list(ada, color=color)["color"] == color


def test_text_is_normalised(ada: User) -> None:
    assert create_list(ada, "Cafe\u0301")["name"] == "Caf\u00e9"


def test_lists_are_those_of_their_user(ada: User, server: str) -> None:
    mine = create_list(ada)
    with User(server, f"bob-{uuid4()}") as bob:
        assert listed(bob) == []
        assert problem(bob.get(f"/lists/{mine['id']}")) == (404, "not-found", "There is no such list.")
        assert bob.request("PUT", f"/lists/{mine['id']}", json={"name": "Mine"}).status_code == 201
    assert ada.get(f"/lists/{mine['id']}").json() == mine


def test_new_lists_come_last_and_a_position_moves_them(ada: User) -> None:
    first, second, third = create_list(ada, "1"), create_list(ada, "2"), create_list(ada, "3")
    assert listed(ada) == [first, second, third]
    moved = ada.request("PATCH", f"/lists/{third['id']}", json={"position": "Z"}).json()
    assert listed(ada) == [moved, first, second]


def test_positions_are_compared_by_code_points_and_ties_broken_by_id(ada: User) -> None:
    positions = ["a", "B", "b", "0", "Z", "aa", "b"]
    lists = [create_list(ada, position, position=position) for position in positions]
    assert listed(ada) == sorted(lists, key=lambda one: (one["position"], one["id"]))


def test_archived_lists_are_left_out_unless_asked_for(ada: User) -> None:
    shown, hidden = create_list(ada, "shown"), create_list(ada, "hidden", archived=True)
    assert listed(ada) == listed(ada, archived="exclude") == [shown]
    assert listed(ada, archived="include") == [shown, hidden]
    assert listed(ada, archived="only") == [hidden]
    assert ada.get(f"/lists/{hidden['id']}").json() == hidden


def test_an_archived_list_keeps_its_tasks(ada: User) -> None:
    hidden = create_list(ada, "hidden", archived=True)
    ada.create("a", list_id=hidden["id"])
    assert ada.titles() == ada.titles(list_id=hidden["id"]) == ["a"]


def test_a_patch_changes_what_it_names(ada: User) -> None:
    created = create_list(ada, color="red")
    path = f"/lists/{created['id']}"
    response = ada.request("PATCH", path, json={"name": "Errands", "color": None})
    changed = response.json()
    assert changed == {**created, "name": "Errands", "color": None, "revision": 2, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > created["updated_at"]
    assert response.headers["ETag"] == '"2"'
    assert ada.get(path).json() == changed
    # A list may be sent back as it was read, and what changes nothing takes no revision.
    assert ada.request("PATCH", path, json=changed).json() == changed
    assert ada.request("PATCH", path, json={}).json() == changed
    assert ada.revision() == 2


def test_if_match_prevents_lost_updates(ada: User) -> None:
    created = create_list(ada)
    path = f"/lists/{created['id']}"
    assert ada.request("PATCH", path, json={"name": "New"}, headers={"If-Match": '"1"'}).status_code == 200
    for method, body in ("PATCH", {"json": {"name": "Newer"}}), ("PUT", {"json": {"name": "Newer"}}), ("DELETE", {}):
        response = ada.request(method, path, headers={"If-Match": '"1"'}, **body)
        assert problem(response) == (412, "precondition-failed", "The list has changed.")
        assert response.json()["list"]["name"] == "New"
        assert response.headers["ETag"] == '"2"'
    assert ada.request("DELETE", path, headers={"If-Match": '"2"'}).status_code == 204


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_there_is_nothing_to_change_in_an_unknown_list(ada: User, method: str) -> None:
    response = ada.request(method, f"/lists/{uuid4()}", **({"json": {}} if method == "PATCH" else {}))
    assert problem(response) == (404, "not-found", "There is no such list.")
    assert ada.revision() == 0


def test_put_creates_a_list_under_a_chosen_id_and_can_be_repeated(ada: User) -> None:
    path = f"/lists/{uuid4()}"
    response = ada.request("PUT", path, json={"name": "Groceries", "color": "green"})
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/{ada.id}{path}"
    created = response.json()
    response = ada.request("PUT", path, json={"name": "Groceries", "color": "green"})
    assert (response.status_code, response.json()) == (200, created)
    response = ada.request("PUT", path, json={"name": "Groceries"}, headers={"If-None-Match": "*"})
    assert problem(response) == (412, "precondition-failed", "There is a list with this id already.")


def test_put_replaces_all_but_an_absent_position(ada: User) -> None:
    created = create_list(ada, color="red", archived=True, position="abc")
    replaced = ada.request("PUT", f"/lists/{created['id']}", json={"name": "New"}).json()
    assert (replaced["name"], replaced["color"], replaced["archived"]) == ("New", None, False)
    assert (replaced["position"], replaced["revision"]) == ("abc", 2)


def test_put_with_if_match_creates_nothing(ada: User) -> None:
    response = ada.request("PUT", f"/lists/{uuid4()}", json={"name": "New"}, headers={"If-Match": "*"})
    assert problem(response) == (412, "precondition-failed", "There is no such list.")
    assert response.json()["list"] is None
    assert ada.revision() == 0


def test_put_does_not_bring_back_a_deleted_list(ada: User) -> None:
    path = f"/lists/{create_list(ada)['id']}"
    ada.request("DELETE", path)
    detail = "The list with this id is deleted. Restore it if it is in the trash, or choose another id."
    assert problem(ada.request("PUT", path, json={"name": "New"})) == (409, "conflict", detail)


def test_a_key_takes_effect_once(ada: User) -> None:
    def create(key: str, name: str) -> httpx.Response:
        return ada.request("POST", "/lists", json={"name": name}, headers={"Idempotency-Key": key})

    first = create("1", "Groceries")
    assert "Idempotency-Replayed" not in first.headers
    second = create("1", "Groceries")
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]
    assert create("1", "Errands").status_code == 422
    assert len(listed(ada)) == 1
    ada.request("DELETE", f"/lists/{first.json()['id']}")
    gone = "The list was created by this request earlier, and has been deleted since."
    assert problem(create("1", "Groceries")) == (410, "gone", gone)


def test_lists_have_the_entity_tag_and_the_token_of_their_user(ada: User) -> None:
    created = create_list(ada)
    response = ada.get("/lists")
    assert response.headers["ETag"] == 'W/"1"'
    assert response.headers["Sync-Token"] == ada.sync_token()
    assert ada.get("/lists", headers={"If-None-Match": 'W/"1"'}).status_code == 304
    assert ada.get(f"/lists/{created['id']}", headers={"If-None-Match": '"1"'}).status_code == 304
    ada.create()
    assert ada.get("/lists", headers={"If-None-Match": 'W/"1"'}).status_code == 200


def test_a_user_who_has_never_written_has_no_lists(ada: User) -> None:
    response = ada.get("/lists")
    assert (response.json(), response.headers["ETag"]) == ({"lists": []}, 'W/"0"')


@pytest.mark.parametrize(
    ("members", "pointer", "detail"),
    [
        ({}, "/name", "is required"),
        ({"name": " "}, "/name", "must be text that is not blank, without U+0000"),
        ({"name": "x" * 101}, "/name", "must have at most 100 characters"),
        ({"name": "a", "color": "mauve"}, "/color", f"must be one of {', '.join(PALETTE)}, null"),
        ({"name": "a", "position": "a b"}, "/position", A_POSITION),
        ({"name": "a", "position": "a-"}, "/position", A_POSITION),
        ({"name": "a", "position": None}, "/position", "must be text, not null"),
        ({"name": "a", "archived": "no"}, "/archived", "must be true or false"),
        ({"name": "a", "tasks": []}, "/tasks", "is not a recognised name"),
    ],
)
def test_invalid_lists_are_rejected(ada: User, members: dict[str, Any], pointer: str, detail: str) -> None:
    response = ada.request("POST", "/lists", json=members)
    assert response.status_code == 400
    assert response.json()["errors"] == [{"in": "body", "pointer": pointer, "detail": detail}]


def test_a_user_may_have_500_lists(ada: User) -> None:
    last: Json = {}
    for number in range(500):
        last = create_list(ada, f"{number}", archived=number % 2 == 0)
    detail = (409, "too-many", "A user may have 500 lists. Delete one first.")
    assert problem(ada.request("POST", "/lists", json={"name": "one too many"})) == detail
    assert problem(ada.request("PUT", f"/lists/{uuid4()}", json={"name": "one too many"})) == detail
    assert len(listed(ada, archived="include")) == 500
    # A deleted list makes room for another, and cannot come back while there is none for it.
    path = f"/lists/{last['id']}"
    ada.request("DELETE", path)
    create_list(ada, "another")
    assert problem(ada.request("POST", f"{path}/restore")) == detail
    deletion = {"deletion_id": ada.get("/trash").json()["lists"][0]["deletion_id"]}
    assert problem(ada.request("POST", "/trash/restore", json=deletion)) == detail
