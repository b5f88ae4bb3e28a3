"""Restoring tasks from the trash, through the API."""

from tests.support.client import Json, User


def restore(user: User, task_id: str) -> Json:
    """Restore a task, and return it."""
    return _restored(user, f"/trash/{task_id}/restore")


def undo(user: User, deletion_id: str) -> Json:
    """Undo a deletion, and return the answer."""
    return _restored(user, "/trash/restore", {"deletion_id": deletion_id})


def _restored(user: User, path: str, body: Json | None = None) -> Json:
    response = user.request("POST", path, json=body)
    assert response.status_code == 200, response.text
    return response.json()
