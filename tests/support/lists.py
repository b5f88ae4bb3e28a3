"""Lists that several tests create and read."""

from typing import Any

from tests.support.client import Json, User


def create_list(user: User, name: str = "A list", **members: Any) -> Json:
    """Create a list, and return it."""
    response = user.request("POST", "/lists", json={"name": name, **members})
    assert response.status_code == 201, response.text
    return response.json()


def delete_list(user: User, one: Json) -> None:
    """Delete a list, with its tasks."""
    assert user.request("DELETE", f"/lists/{one['id']}").status_code == 204


def restore_list(user: User, one: Json) -> Json:
    """Restore a list, with the tasks that were deleted with it, and return it."""
    response = user.request("POST", f"/lists/{one['id']}/restore")
    assert response.status_code == 200, response.text
    return response.json()


def listed(user: User, **query: str) -> list[Json]:
    """Return the user's lists, in their order."""
    response = user.get("/lists", params=query)
    assert response.status_code == 200, response.text
    found: list[Json] = response.json()["lists"]
    return found
