"""Cursor paging: in every order, no task is repeated or skipped, whatever is inserted between two pages."""

import pytest

from tests.support.client import User

SORTS = ("created_at", "updated_at", "due_date", "due_at", "priority", "title")
ORDERS = [(sort, way) for sort in SORTS for way in ("asc", "desc")]


def fill(ada: User) -> None:
    """Create tasks that share titles, priorities and due dates, some of them without a due date."""
    for number in range(12):
        due = None if number % 3 == 0 else f"2026-01-{number % 4 + 1:02}"
        ada.create("aBc"[number % 3] * 2, priority=("Low", "High", "Medium")[number % 3], due_date=due)


@pytest.mark.parametrize(("sort", "way"), ORDERS)
def test_cursors_visit_every_task_exactly_once(ada: User, sort: str, way: str) -> None:
    fill(ada)
    order = {"sort_by": sort, "sort_direction": way}
    whole = ada.get("/tasks", params=order).json()
    assert (whole["total"], whole["next_cursor"]) == (12, None)
    page = ada.get("/tasks", params={**order, "limit": 5}).json()
    found = page["tasks"]
    ada.create("zz inserted meanwhile", priority="Low")
    while page["next_cursor"]:
        page = ada.get("/tasks", params={**order, "limit": 3, "cursor": page["next_cursor"]}).json()
        assert (page["total"], page["offset"]) == (None, None)
        found += page["tasks"]
    assert [task["id"] for task in found if task["title"] != "zz inserted meanwhile"] == [
        task["id"] for task in whole["tasks"]
    ]


def test_a_cursor_is_valid_only_for_its_own_user_and_query(ada: User, grace: User) -> None:
    fill(ada)
    cursor = ada.get("/tasks", params={"limit": 1}).json()["next_cursor"]
    for user, query, name in (
        (ada, {"completed": "false"}, "cursor"),
        (ada, {"search": "a"}, "cursor"),
        (ada, {"sort_by": "title"}, "cursor"),
        (ada, {"sort_direction": "asc"}, "cursor"),
        (ada, {"offset": "0"}, "offset"),
        (grace, {}, "cursor"),
    ):
        refused = user.get("/tasks", params={"cursor": cursor, **query})
        assert refused.status_code == 400, query
        assert [error["name"] for error in refused.json()["errors"]] == [name]


@pytest.mark.parametrize("sort", ["created_at", "title", "priority"])
def test_a_damaged_cursor_is_rejected_wherever_the_damage_is(ada: User, sort: str) -> None:
    fill(ada)
    cursor = ada.get("/tasks", params={"limit": 1, "sort_by": sort}).json()["next_cursor"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    damaged = [cursor[:place] + letters[letters.index(cursor[place]) ^ 1] + cursor[place + 1 :] for place in (0, 9, -2)]
    damaged += [cursor[:-1] + letter for letter in letters if letter != cursor[-1]]
    for one in (*damaged, cursor[:-1], f"{cursor}A", f"{cursor}AAAA", cursor * 2, "x"):
        assert ada.get("/tasks", params={"cursor": one, "sort_by": sort}).status_code == 400, one


def test_a_cursor_is_valid_for_every_equivalent_query(ada: User) -> None:
    for number in range(3):
        ada.create(str(number), tags=["a", "b"], priority="Low")
    for written, again in (
        ("", "search="),
        ("search=", "tag_match=all"),
        ("tags=a&tags=b", "tags=b&tags=a&tags=a"),
        ("priority=Low&priority=High", "priority=High&priority=Low"),
        ("sort_by=created_at", "sort_direction=desc&limit=2"),
    ):
        cursor = ada.get(f"/tasks?limit=1&{written}").json()["next_cursor"]
        response = ada.get(f"/tasks?{again}&cursor={cursor}")
        assert response.status_code == 200, again
        assert [task["title"] for task in response.json()["tasks"]] == ["1", "0"]


def test_missing_due_dates_sort_last_in_both_directions_and_high_priority_sorts_first(ada: User) -> None:
    fill(ada)
    for way in ("asc", "desc"):
        tasks = ada.get("/tasks", params={"sort_by": "due_date", "sort_direction": way}).json()["tasks"]
        assert [task["due_date"] is None for task in tasks] == [False] * 8 + [True] * 4
    tasks = ada.get("/tasks", params={"sort_by": "priority"}).json()["tasks"]
    assert [task["priority"] for task in tasks] == ["High"] * 4 + ["Medium"] * 4 + ["Low"] * 4
