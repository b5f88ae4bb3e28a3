"""The database's clock is set back, as after a failover to a server whose clock is wrong."""

import psycopg

from tests.support.client import User

# As if an hour had been taken from the clock since the tasks were created.
AN_HOUR_LATER = """
    UPDATE tasks SET created_at = created_at + interval '1 hour', updated_at = updated_at + interval '1 hour'
    WHERE user_id = %s
"""
DELETED = "SELECT deleted_at >= created_at AND updated_at >= created_at FROM tasks WHERE user_id = %s"


def set_clock_back(database: str, user: User) -> None:
    """Make the user's tasks an hour newer than the clock."""
    with psycopg.connect(database) as connection:
        connection.execute(AN_HOUR_LATER, [user.id])


def test_no_task_was_changed_or_completed_before_it_was_created(database: str, ada: User) -> None:
    task = ada.create("early")
    set_clock_back(database, ada)
    changed = ada.patch(task["id"], {"completed": True}).json()
    assert task["created_at"] < changed["created_at"] <= changed["updated_at"] == changed["completed_at"]
    again = ada.patch(task["id"], {"title": "later"}).json()
    assert again["updated_at"] >= changed["updated_at"]


def test_no_task_was_deleted_before_it_was_created(database: str, ada: User) -> None:
    task = ada.create("early")
    set_clock_back(database, ada)
    ada.request("DELETE", f"/tasks/{task['id']}")
    with psycopg.connect(database) as connection:
        assert connection.execute(DELETED, [ada.id]).fetchone() == (True,)
