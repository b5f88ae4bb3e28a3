"""Recurring tasks, as a client completes them."""

from typing import Any

from tests.support.client import Json, User

MONTHLY = {"frequency": "monthly"}
DAILY = {"frequency": "daily"}
SERIES = ("recurrence", "rrule", "series_id", "occurrence_date", "next_task_id")
"""What only a recurring task has."""
NO_SERIES = dict.fromkeys(SERIES)


def complete(user: User, task: Json, **members: Any) -> Json:
    """Complete a task, changing other members too, and return it."""
    response = user.patch(task["id"], {"completed": True, **members})
    assert response.status_code == 200, response.text
    return response.json()


def following(user: User, task: Json, **members: Any) -> Json:
    """Complete an occurrence, and return the next one."""
    response = user.get(f"/tasks/{complete(user, task, **members)['next_task_id']}")
    assert response.status_code == 200, response.text
    return response.json()


def days(user: User, task: Json, number: int) -> list[str]:
    """Complete a number of occurrences, and return the due dates of those that follow."""
    found = []
    for _ in range(number):
        task = following(user, task)
        found.append(task["due_date"])
    return found


def reopen(user: User, task: Json, **options: Any) -> Any:
    """Reopen a task, and return the response."""
    return user.patch(task["id"], {"completed": False}, **options)


def skip(user: User, task: Json, **options: Any) -> Any:
    """Skip an occurrence, and return the response."""
    return user.request("POST", f"/tasks/{task['id']}/skip", **options)
