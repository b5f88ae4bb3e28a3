"""A tag is renamed or removed on every task that carries it, each with a revision of its own, or on none."""

import pytest

from tests.support.client import Json, User
from tests.support.many import has_account, insert_tasks, revisions
from tests.support.turns import one_after_the_other


def rename(user: User, name: str, new_name: str) -> Json:
    """Rename a tag, and return the answer."""
    response = user.request("PATCH", "/tags", params={"name": name}, json={"name": new_name})
    assert response.status_code == 200, response.text
    return response.json()


def remove(user: User, name: str) -> Json:
    """Remove a tag, and return the answer."""
    response = user.request("DELETE", "/tags", params={"name": name})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("tags", "renamed"),
    [
        (["home"], ["house"]),
        (["a", "home", "b"], ["a", "house", "b"]),
        (["home", "a", "house", "b"], ["house", "a", "b"]),
        (["house", "a", "home", "b"], ["house", "a", "b"]),
        (["z", "home", "house", "a"], ["z", "house", "a"]),
    ],
    ids=str,
)
def test_a_renamed_tag_keeps_its_place_and_a_merged_one_the_first_of_its_two(
    ada: User, tags: list[str], renamed: list[str]
) -> None:
    task = ada.create(tags=tags)
    assert rename(ada, "home", "house") == {"changed": 1, "revision": 2}
    changed = ada.read(task)
    assert (changed["tags"], changed["revision"]) == (renamed, 2)
    assert changed["updated_at"] > task["updated_at"]
    stamps = ("tags", "revision", "updated_at")
    assert {name: changed[name] for name in changed if name not in stamps} == {
        name: task[name] for name in task if name not in stamps
    }


def test_a_removed_tag_leaves_the_others_in_their_order(ada: User) -> None:
    first, second = ada.create(tags=["b", "home", "a"]), ada.create(tags=["home"])
    assert remove(ada, "home") == {"changed": 2, "revision": 4}
    assert [ada.read(task)["tags"] for task in (first, second)] == [["b", "a"], []]
    assert ada.get("/tags").json() == [{"name": "a", "usage_count": 1}, {"name": "b", "usage_count": 1}]


def test_only_the_users_own_tasks_that_carry_the_tag_change_in_the_order_of_creation(ada: User, grace: User) -> None:
    hers = grace.create(tags=["home"])
    tasks = [ada.create(tags=tags) for tags in (["home"], ["Home"], [], ["home", "x"])]
    ada.patch(tasks[0]["id"], {"title": "last"})
    assert rename(ada, "home", "house") == {"changed": 2, "revision": 7}
    assert [ada.read(task)["revision"] for task in tasks] == [6, 2, 3, 7]
    assert grace.read(hers) == hers


@pytest.mark.parametrize("name", ["a,b", "/", "?x=1&y", "%", "\\", "'", '"', "*", "🎉", "a b", "null", "{}"])
def test_a_tag_may_have_any_characters(ada: User, name: str) -> None:
    task = ada.create(tags=["first", name])
    assert rename(ada, name, f"{name}{name}")["changed"] == 1
    assert ada.read(task)["tags"] == ["first", f"{name}{name}"]
    assert remove(ada, f"{name}{name}")["changed"] == 1
    assert ada.read(task)["tags"] == ["first"]


def test_names_are_compared_as_people_see_them(ada: User) -> None:
    task = ada.create(tags=["caf\u00e9"])
    assert rename(ada, "cafe\u0301", "the\u0301")["changed"] == 1
    assert ada.read(task)["tags"] == ["th\u00e9"]


def test_a_tag_renamed_to_itself_changes_nothing(ada: User) -> None:
    task = ada.create(tags=["home", "a"])
    assert rename(ada, "home", "home") == {"changed": 0, "revision": 1}
    assert ada.read(task) == task


def test_a_tag_that_no_task_carries_is_not_found(database: str, ada: User, grace: User) -> None:
    for user in (ada, grace):
        for method, body in (("PATCH", {"name": "house"}), ("DELETE", None)):
            response = user.request(method, "/tags?name=home", json=body)
            assert (response.status_code, response.json()["detail"]) == (404, "There is no such tag.")
        ada.create(tags=["house", "Home"])
    assert not has_account(database, grace)


def test_tasks_in_the_trash_keep_their_tags(ada: User) -> None:
    live, deleted = ada.create(tags=["home"]), ada.create(tags=["home"])
    deletion = ada.request("DELETE", f"/tasks?id={deleted['id']}").json()["deletion_id"]
    assert remove(ada, "home")["changed"] == 1
    assert ada.request("DELETE", "/tags?name=home").status_code == 404
    ada.request("POST", "/trash/restore", json={"deletion_id": deletion})
    assert [ada.read(task)["tags"] for task in (live, deleted)] == [[], ["home"]]


def test_up_to_10000_tasks_are_changed_and_none_if_there_are_more(database: str, ada: User, grace: User) -> None:
    insert_tasks(database, ada, 10_000, ["home"])
    assert rename(ada, "home", "house") == {"changed": 10_000, "revision": 20_000}
    assert remove(ada, "house") == {"changed": 10_000, "revision": 30_000}
    assert revisions(database, ada) == [*range(20_001, 30_001)]
    insert_tasks(database, grace, 10_001, ["home"])
    for method, body in (("PATCH", {"name": "house"}), ("DELETE", None)):
        response = grace.request(method, "/tags?name=home", json=body)
        assert (response.status_code, response.json()["type"]) == (409, "urn:problem-type:todo-api:too-many")
    assert revisions(database, grace) == [*range(1, 10_002)]


def test_a_task_that_is_created_while_the_request_waits_is_changed(database: str, server: str, ada: User) -> None:
    old = ada.create(tags=["home"])
    with User(server, ada.id) as other:
        new, answer = one_after_the_other(
            database, ada, lambda: other.create(tags=["home"]), lambda: rename(ada, "home", "house")
        )
    assert answer == {"changed": 2, "revision": 4}
    assert [ada.read(task)["tags"] for task in (old, new)] == [["house"], ["house"]]


@pytest.mark.parametrize(
    ("query", "body", "places"),
    [
        ("", {}, {("query", "name"), ("body", "/name")}),
        ("name=", {"name": ""}, {("query", "name"), ("body", "/name")}),
        ("name=a&name=b", {"name": " x", "foo": 1}, {("query", "name"), ("body", "/name"), ("body", "/foo")}),
        ("name=a", {"name": "x" * 51}, {("body", "/name")}),
        ("name=%00", {"name": None}, {("query", "name"), ("body", "/name")}),
    ],
)
def test_an_invalid_name_is_rejected(ada: User, query: str, body: Json, places: set[tuple[str, str]]) -> None:
    response = ada.request("PATCH", f"/tags?{query}", json=body)
    assert response.status_code == 400
    assert {(error["in"], error.get("name", error.get("pointer"))) for error in response.json()["errors"]} == places
