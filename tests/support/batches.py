"""Batches: operations as clients write them, and their results."""

from typing import Any

import httpx

from tests.support.client import Json, User


def create(title: str = "A task", **members: Json) -> Json:
    """Return an operation that creates a task; `id` is the operation's, the other members are the task's."""
    chosen = {"id": members.pop("id")} if "id" in members else {}
    return {"op": "create", **chosen, "task": {"title": title, **members}}


def replace(task_id: str, title: str = "A task", **members: Json) -> Json:
    """Return an operation that replaces a task; `if_revision` is the operation's, the other members are the task's."""
    return {"op": "replace", "id": task_id, **_condition(members), "task": {"title": title, **members}}


def update(task_id: str, base: Json = None, **members: Json) -> Json:
    """Return an operation that updates a task; `if_revision` is the operation's, the other members are the changes."""
    known = {} if base is None else {"base": base}
    return {"op": "update", "id": task_id, **known, **_condition(members), "changes": members}


def delete(task_id: str, **condition: Json) -> Json:
    """Return an operation that deletes a task."""
    return {"op": "delete", "id": task_id, **condition}


def restore(task_id: str) -> Json:
    """Return an operation that restores a task."""
    return {"op": "restore", "id": task_id}


def _condition(members: dict[str, Any]) -> dict[str, Any]:
    return {"if_revision": members.pop("if_revision")} if "if_revision" in members else {}


def send(user: User, *operations: Json, mode: str | None = None, key: str | None = None) -> httpx.Response:
    """Send a batch, and return the response, whatever it is."""
    body = {"operations": operations} | ({} if mode is None else {"mode": mode})
    return user.request("POST", "/batch", json=body, headers={} if key is None else {"Idempotency-Key": key})


def run(user: User, *operations: Json, mode: str | None = None, key: str | None = None) -> Json:
    """Send a batch that is carried out, and return its body."""
    response = send(user, *operations, mode=mode, key=key)
    assert response.status_code == 200, response.text
    return response.json()


def results(user: User, *operations: Json, mode: str | None = None) -> list[Json]:
    """Send a batch, and return the result of each operation, whether it was carried out or not."""
    response = send(user, *operations, mode=mode)
    assert response.status_code in (200, 409), response.text
    found: list[Json] = response.json()["results"]
    return found


def statuses(found: list[Json]) -> list[int]:
    """Return the statuses of results."""
    return [one["status"] for one in found]
