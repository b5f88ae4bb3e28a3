"""Preferences: one resource a user, with a revision of the user's sequence."""

import pytest

from tests.support.client import Json, User

DEFAULTS = {"time_zone": None, "week_start": "monday", "new_tasks": "last", "revision": 0}


def test_a_user_who_has_written_none_has_the_defaults_and_no_account(ada: User) -> None:
    response = ada.get("/preferences")
    assert (response.json(), response.headers["ETag"]) == (DEFAULTS, '"0"')
    assert ada.revision() == 0


def test_a_patch_changes_only_the_given_members(ada: User) -> None:
    ada.create()
    first = ada.request("PATCH", "/preferences", json={"time_zone": "Europe/Berlin"})
    assert first.json() == {"time_zone": "Europe/Berlin", "week_start": "monday", "new_tasks": "last", "revision": 2}
    assert first.headers["ETag"] == '"2"'
    second = ada.request("PATCH", "/preferences", json={"week_start": "sunday"}).json()
    assert second == {"time_zone": "Europe/Berlin", "week_start": "sunday", "new_tasks": "last", "revision": 3}
    third = ada.request("PATCH", "/preferences", json={"time_zone": None}).json()
    assert (
        ada.get("/preferences").json()
        == third
        == {"time_zone": None, "week_start": "sunday", "new_tasks": "last", "revision": 4}
    )
    assert ada.revision() == 4


def test_the_first_write_of_a_user_may_be_one_of_preferences(ada: User) -> None:
    assert ada.request("PATCH", "/preferences", json={"week_start": "sunday"}).json()["revision"] == 1
    assert ada.create()["revision"] == 2


@pytest.mark.parametrize("body", [{}, {"week_start": "monday"}, {"time_zone": None}, DEFAULTS])
def test_a_patch_that_changes_nothing_takes_no_revision(ada: User, body: Json) -> None:
    assert ada.request("PATCH", "/preferences", json=body).json() == DEFAULTS
    assert ada.revision() == 0


def test_preferences_are_read_and_written_conditionally(ada: User) -> None:
    unchanged = ada.request("GET", "/preferences", headers={"If-None-Match": '"0"'})
    assert (unchanged.status_code, unchanged.headers["ETag"]) == (304, '"0"')
    match = {"If-Match": '"0"'}
    assert ada.request("PATCH", "/preferences", json={"week_start": "sunday"}, headers=match).status_code == 200
    refused = ada.request("PATCH", "/preferences", json={"week_start": "monday"}, headers=match)
    assert (refused.status_code, refused.headers["ETag"]) == (412, '"1"')
    assert refused.json()["preferences"] == DEFAULTS | {"week_start": "sunday", "revision": 1}
    assert refused.json()["detail"] == "The preferences have changed."
    assert ada.request("GET", "/preferences", headers={"If-None-Match": '"0"'}).status_code == 200


def test_a_change_moves_the_sync_token_and_the_etags_of_lists(ada: User) -> None:
    ada.create()
    before = ada.get("/tasks")
    ada.request("PATCH", "/preferences", json={"week_start": "sunday"})
    assert ada.get("/tasks").headers["ETag"] != before.headers["ETag"]
    changes = ada.get("/changes", params={"sync_token": before.headers["Sync-Token"]}).json()
    assert (changes["tasks"], changes["deleted"], changes["has_more"]) == ([], [], False)
    assert changes["sync_token"] != before.headers["Sync-Token"]


def test_preferences_of_another_user_are_untouched(ada: User, grace: User) -> None:
    ada.request("PATCH", "/preferences", json={"week_start": "sunday"})
    assert grace.get("/preferences").json() == DEFAULTS
