"""Tasks that several tests create and compare."""

from typing import Any

from tests.support.client import Json, User

FULL: dict[str, Any] = {
    "title": "Buy milk",
    "description": "Two litres",
    "completed": False,
    "priority": "High",
    "due_date": "2026-11-24",
    "due_time": "18:30",
    "time_zone": "Europe/Berlin",
    "tags": ["home", "shopping"],
    "position": "k",
}
"""A value for every member that a client can set but `recurrence`, none of which is the default but `completed`."""
STAMPS = ("updated_at", "revision")
"""The members that every write changes."""


def without(task: Json, *names: str) -> Json:
    """Return a task without some of its members."""
    return {name: value for name, value in task.items() if name not in names}


def create_three(user: User) -> dict[str, Json]:
    """Create three tasks that filters tell apart, and return them by name."""
    return {
        "a": user.create("milk", tags=["home"], priority="High", due_date="2026-11-24"),
        "b": user.create("Milk", tags=["home"], priority="Low", due_date="2026-11-25", completed=True),
        "c": user.create("bread", tags=["garden", "home"]),
    }
