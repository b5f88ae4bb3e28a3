"""The task list compared with a model in plain Python: each filter alone, filters combined, and every sort order."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.client import Json, User

WORDS = [
    "",
    "a",
    "b",
    "ab",
    "Ä",
    "ä",
    "É",
    "%",
    "_",
    "\\",
    "a%b",
    "a_b",
    "'",
    '"',
    ",",
    "100%",
    " ",
    "milk",
    "MILK",
    "🎉",
]
DAYS = ["2026-01-01", "2026-01-02", "2026-01-31", "2027-06-15"]
TAGS = ["home", "Home", "a,b", "a", "b", "%", "ä"]
UNKNOWN = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
PRIORITIES = ["Low", "Medium", "High"]

TASKS: list[dict[str, Any]] = [
    {
        "title": f"{WORDS[number % 20]}{number % 3}{WORDS[number * 7 % 20]}",
        "description": (None, "", f"{WORDS[number * 3 % 20]}-{WORDS[number * 11 % 20]}")[number % 3],
        "completed": number % 4 == 0,
        "priority": PRIORITIES[number * 5 % 3],
        "due_date": (None, *DAYS)[number % 5],
        "tags": [tag for place, tag in enumerate(TAGS) if number * 13 >> place & 1],
    }
    for number in range(40)
]


@pytest.fixture(scope="module")
def linus(server: str) -> Iterator[User]:
    """Yield a user with the tasks, some of them changed after creation, and with one deleted task."""
    with User(server, f"linus-{uuid4().hex}") as user:
        made = [user.create(**task) for task in TASKS]
        for task in made[::6]:
            user.patch(task["id"], {"completed": not task["completed"]})
        gone = user.create("milk", tags=TAGS[:2])
        user.request("DELETE", f"/tasks/{gone['id']}")
        yield user


@pytest.fixture(scope="module")
def tasks(linus: User) -> list[Json]:
    """Return all of the user's tasks."""
    found: list[Json] = linus.get("/tasks", params={"limit": 100}).json()["tasks"]
    assert len(found) == len(TASKS)
    return found


def matches(task: Json, query: dict[str, Any]) -> bool:
    """Return whether a task matches a query by the rules of the contract."""
    search = query.get("search", "").lower()
    tags = set(query.get("tags", []))
    found = tags & set(task["tags"])
    return (
        task["id"] in (query.get("id") or [task["id"]])
        and (search in task["title"].lower() or search in (task["description"] or "").lower())
        and query.get("completed", task["completed"]) == task["completed"]
        and task["priority"] in (query.get("priority") or PRIORITIES)
        and (not tags or (found == tags if query.get("tag_match") == "all" else bool(found)))
        and ("due_before" not in query or (task["due_date"] or "9999") <= query["due_before"])
        and ("due_after" not in query or (task["due_date"] or "0000") >= query["due_after"])
    )


def ordered(tasks: list[Json], query: dict[str, Any]) -> list[Json]:
    """Sort tasks: `priority` by rank, `title` ignoring case, ties by id, missing due dates last in both directions."""
    by = query["sort_by"]
    descending = query["sort_direction"] == "desc"

    def key(task: Json) -> tuple[Any, str]:
        value = task[by]
        if by == "priority":
            value = PRIORITIES.index(value)
        elif by == "title":
            value = value.lower()
        elif by == "due_date" and value is None:
            value = "" if descending else "~"
        return value, task["id"]

    return sorted(tasks, key=key, reverse=descending)


QUERIES = st.fixed_dictionaries(
    {
        "sort_by": st.sampled_from(["created_at", "updated_at", "due_date", "priority", "title"]),
        "sort_direction": st.sampled_from(["asc", "desc"]),
    },
    optional={
        "search": st.one_of(st.sampled_from(WORDS), st.text("aAbBäÄéÉ%_\\0-", max_size=3)),
        "completed": st.booleans(),
        "priority": st.lists(st.sampled_from(PRIORITIES), max_size=3),
        "tags": st.lists(st.sampled_from([*TAGS, "none"]), max_size=3),
        "tag_match": st.sampled_from(["any", "all"]),
        "due_before": st.sampled_from(DAYS),
        "due_after": st.sampled_from(DAYS),
    },
)


@given(
    query=QUERIES,
    ids=st.none() | st.sets(st.integers(0, len(TASKS))),
    limit=st.integers(1, 12),
    offset=st.integers(0, 15),
)
@settings(max_examples=250, deadline=None)
def test_the_task_list_returns_every_match_in_the_requested_order(
    linus: User, tasks: list[Json], query: dict[str, Any], ids: set[int] | None, limit: int, offset: int
) -> None:
    if ids is not None:
        query = {**query, "id": [[*(task["id"] for task in tasks), UNKNOWN][number] for number in ids]}
    expected = [task["id"] for task in ordered([task for task in tasks if matches(task, query)], query)]
    page = linus.get("/tasks", params={**query, "limit": limit, "offset": offset}).json()
    assert page["total"] == len(expected)
    assert [task["id"] for task in page["tasks"]] == expected[offset : offset + limit]
    following = expected[offset + limit :]
    assert (page["next_cursor"] is None) == (not following)
    if following:
        rest = linus.get("/tasks", params={**query, "limit": 100, "cursor": page["next_cursor"]}).json()
        assert [task["id"] for task in rest["tasks"]] == following


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("tags=a,b", ["comma"]),
        ("tags=a&tags=b", ["both", "a"]),
        ("tags=a&tags=b&tag_match=all", ["both"]),
        ("tags=A", []),
        ("priority=High&priority=Low", ["comma", "a"]),
        ("due_before=2026-01-02", ["a"]),
        ("due_after=2026-01-02", ["both", "a"]),
        ("due_after=2026-01-02&due_before=2026-01-02", ["a"]),
        ("completed=true", ["both"]),
        ("completed=true&search=A", []),
        ("search=BOTH", ["both"]),
        ("tag_match=all", ["both", "comma", "a"]),
    ],
    ids=str,
)
def test_each_filter_returns_the_matching_tasks(ada: User, query: str, titles: list[str]) -> None:
    ada.create("a", tags=["a"], due_date="2026-01-02", priority="High")
    ada.create("comma", tags=["a,b"], priority="Low")
    ada.create("both", tags=["b", "a"], due_date="2026-01-03", completed=True)
    assert [task["title"] for task in ada.get(f"/tasks?{query}").json()["tasks"]] == titles


def test_ids_choose_tasks_of_the_user_in_the_requested_order(ada: User, grace: User) -> None:
    first, _, third = (ada.create(title) for title in ("first", "second", "third"))
    hers = grace.create("hers")
    ids = [third["id"], first["id"].upper(), first["id"], hers["id"], UNKNOWN]
    assert ada.titles(id=ids, sort_direction="asc") == ["first", "third"]
    assert ada.titles(id=ids, search="third") == ["third"]
    page = ada.get("/tasks", params={"id": ids, "limit": 1}).json()
    assert (page["total"], page["tasks"][0]["title"]) == (2, "third")
    again = {"id": ids[::-1], "limit": 1, "cursor": page["next_cursor"]}
    assert ada.titles(**again) == ["first"]
    again["id"] = ids[:1]
    assert ada.get("/tasks", params=again).status_code == 400


def test_up_to_100_ids_are_accepted(ada: User) -> None:
    task = ada.create()
    assert ada.titles(id=[task["id"]] + [UNKNOWN] * 99) == ["A task"]
    response = ada.get("/tasks", params={"id": ["x"] * 101})
    assert response.status_code == 400
    assert {(error["in"], error["name"]) for error in response.json()["errors"]} == {("query", "id")}
