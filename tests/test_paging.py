"""Pages by cursor: in every order, none repeated and none skipped, whatever is inserted meanwhile."""

import pytest

from tests.client import User

ORDERS = [
    (sort, way) for sort in ("created_at", "updated_at", "due_date", "priority", "title") for way in ("asc", "desc")
]


def fill(ada: User) -> None:
    """Create tasks with ties and gaps in every order."""
    for number in range(12):
        due = None if number % 3 == 0 else f"2026-01-{number % 4 + 1:02}"
        ada.create("aBc"[number % 3] * 2, priority=("Low", "High", "Medium")[number % 3], due_date=due)


@pytest.mark.parametrize(("sort", "way"), ORDERS)
def test_cursors_lead_through_all_tasks_once(ada: User, sort: str, way: str) -> None:
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


def test_a_cursor_is_good_for_its_own_query_only(ada: User, grace: User) -> None:
    fill(ada)
    cursor = ada.get("/tasks", params={"limit": 1}).json()["next_cursor"]
    damaged = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    for user, query in (
        (ada, {"cursor": cursor, "completed": "false"}),
        (ada, {"cursor": cursor, "sort_by": "title"}),
        (ada, {"cursor": cursor, "offset": "0"}),
        (ada, {"cursor": damaged}),
        (ada, {"cursor": cursor[:-1]}),
        (ada, {"cursor": "x"}),
        (grace, {"cursor": cursor}),
    ):
        refused = user.get("/tasks", params=query)
        assert refused.status_code == 400, query
        assert refused.json()["errors"][0]["name"] in ("cursor", "offset")


def test_missing_due_dates_come_last_either_way_and_high_comes_first(ada: User) -> None:
    fill(ada)
    for way in ("asc", "desc"):
        tasks = ada.get("/tasks", params={"sort_by": "due_date", "sort_direction": way}).json()["tasks"]
        assert [task["due_date"] is None for task in tasks] == [False] * 8 + [True] * 4
    tasks = ada.get("/tasks", params={"sort_by": "priority"}).json()["tasks"]
    assert [task["priority"] for task in tasks] == ["High"] * 4 + ["Medium"] * 4 + ["Low"] * 4
