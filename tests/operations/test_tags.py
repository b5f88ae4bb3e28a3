"""The tags in use, sorted by name, each with the number of tasks that carry it."""

from tests.support.client import Json, User


def tags(user: User) -> Json:
    """Return the user's tags."""
    response = user.get("/tags")
    assert response.status_code == 200
    return response.json()


def test_a_new_user_has_no_tags(ada: User) -> None:
    response = ada.get("/tags")
    assert response.json() == []
    assert response.headers["ETag"] == 'W/"0"'
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert ada.get("/tags", headers={"If-None-Match": 'W/"0"'}).status_code == 304


def test_each_tag_counts_the_tasks_that_carry_it(ada: User) -> None:
    ada.create(tags=["home", "milk"])
    ada.create(tags=["home"], completed=True)
    ada.create(tags=[])
    assert tags(ada) == [{"name": "home", "usage_count": 2}, {"name": "milk", "usage_count": 1}]


def test_tags_are_case_sensitive_and_sorted_by_code_point(ada: User) -> None:
    names = ["ä", "z", "Z", "a", "🎉", "a b", "a,b", "10", "9", "%"]
    ada.create(tags=names)
    assert [tag["name"] for tag in tags(ada)] == sorted(names)


def test_a_tag_disappears_with_its_last_task(ada: User) -> None:
    first, second = ada.create(tags=["a", "b"]), ada.create(tags=["b"])
    ada.patch(first["id"], {"tags": ["c"]})
    assert tags(ada) == [{"name": "b", "usage_count": 1}, {"name": "c", "usage_count": 1}]
    ada.request("DELETE", f"/tasks/{second['id']}")
    assert tags(ada) == [{"name": "c", "usage_count": 1}]


def test_tags_of_other_users_are_not_listed(ada: User, grace: User) -> None:
    grace.create(tags=["hers"])
    ada.create(tags=["mine"])
    assert tags(ada) == [{"name": "mine", "usage_count": 1}]


def test_the_etag_of_the_tag_list_changes_only_with_the_users_own_writes(ada: User, grace: User) -> None:
    task = ada.create(tags=["a"])
    before = ada.get("/tags").headers["ETag"]
    grace.create(tags=["a"])
    assert ada.get("/tags", headers={"If-None-Match": before}).status_code == 304
    ada.patch(task["id"], {"tags": ["b"]})
    changed = ada.get("/tags", headers={"If-None-Match": before})
    assert (changed.status_code, [tag["name"] for tag in changed.json()]) == (200, ["b"])
    assert changed.headers["ETag"] == ada.get("/tasks").headers["ETag"] != before
