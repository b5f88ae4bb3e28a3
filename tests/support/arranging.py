"""The order in which a user has arranged tasks, and moves in it."""

import httpx

from tests.support.client import Json, User


def create_each(user: User, titles: str) -> dict[str, Json]:
    """Create a task for each letter, and return them by their titles."""
    return {title: user.create(title) for title in titles}


def move(user: User, task: Json, **spot: Json) -> httpx.Response:
    """Move a task to a spot, such as `before=another`. Tasks stand for their ids."""
    body = {name: value["id"] if isinstance(value, dict) else value for name, value in spot.items()}
    return user.request("POST", f"/tasks/{task['id']}/move", json=body)


def moved(user: User, task: Json, **spot: Json) -> Json:
    """Move a task to a spot, and return it."""
    response = move(user, task, **spot)
    assert response.status_code == 200, response.text
    return response.json()


def arranged(user: User) -> list[Json]:
    """Return the tasks in their order."""
    query = {"sort_by": "position", "sort_direction": "asc", "limit": 100}
    tasks: list[Json] = user.get("/tasks", params=query).json()["tasks"]
    return tasks


def order(user: User) -> str:
    """Return the titles of the tasks in their order, as one word."""
    return "".join(task["title"] for task in arranged(user))


def positions(user: User) -> list[str]:
    """Return the positions of the tasks in their order."""
    return [task["position"] for task in arranged(user)]
