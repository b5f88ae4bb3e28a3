"""Subtasks that several tests create and read."""

from typing import Any

from tests.support.client import Json, User


def create(user: User, parent: Json | None = None, title: str = "A task", **members: Any) -> Json:
    """Create a task, under a parent if there is one, and return it."""
    place = {} if parent is None else {"parent_id": parent["id"]}
    response = user.request("POST", "/tasks", json={"title": title, **place, **members})
    assert response.status_code == 201, response.text
    return response.json()


def family(user: User) -> tuple[Json, Json, Json]:
    """Create a task, its subtask, and a subtask of that one."""
    top = create(user, title="top")
    child = create(user, top, "child")
    return top, child, create(user, child, "grandchild")


def now(user: User, task: Json) -> Json:
    """Return a task as it is now."""
    response = user.get(f"/tasks/{task['id']}")
    assert response.status_code == 200, response.text
    return response.json()


def is_there(user: User, task: Json) -> bool:
    """Return whether a task is live."""
    return user.get(f"/tasks/{task['id']}").status_code == 200


def refused(response: Any) -> str:
    """Return the last part of the type of a 409."""
    assert response.status_code == 409, response.text
    return str(response.json()["type"].rsplit(":", 1)[1])


def subtasks_of(user: User, task: Json) -> list[Json]:
    """Return the subtasks of a task in their order, without theirs."""
    query = {"parent_id": task["id"], "sort_by": "position", "sort_direction": "asc"}
    found: list[Json] = user.get("/tasks", params=query).json()["tasks"]
    return found
