"""A recurring task: completing an occurrence creates the next one, and the schedule stays what it is."""

from typing import Any
from uuid import uuid4

from tests.support.client import Json, User

MONTHLY = {"frequency": "monthly"}


def complete(user: User, task: Json, **members: Any) -> Json:
    """Complete a task, and return it."""
    response = user.patch(task["id"], {"completed": True, **members})
    assert response.status_code == 200, response.text
    return response.json()


def following(user: User, task: Json) -> Json:
    """Complete an occurrence, and return the next one."""
    return user.get(f"/tasks/{complete(user, task)['next_task_id']}").json()


def test_smoke(ada: User) -> None:
    task = ada.create(due_date="2027-01-31", recurrence=MONTHLY)
    print(task)
    done = complete(ada, task)
    print(done)
    nxt = ada.get(f"/tasks/{done['next_task_id']}").json()
    print(nxt)
    assert nxt["due_date"] == "2027-02-28"
    assert nxt["revision"] == done["revision"] + 1
    again = ada.patch(task["id"], {"completed": False})
    print(again.text)
    assert ada.get(f"/tasks/{nxt['id']}").status_code == 404
    r = ada.request("POST", f"/tasks/{task['id']}/skip")
    print(r.text)
    put = ada.put(str(uuid4()), {"title": "x", "due_date": "2027-01-31", "recurrence": MONTHLY, "completed": True})
    print(put.text)
    assert put.json()["next_task_id"]
    bad = ada.request("POST", "/tasks", json={"title": "x", "due_date": "2027-01-31", "recurrence": {"frequency": "monthly", "until": "2026-01-01"}})
    print(bad.text)
    done = complete(ada, task)
    bad = ada.patch(done["next_task_id"], {"title": "changed"})
    bad = ada.patch(task["id"], {"completed": False})
    print(bad.text)
    bad = ada.patch(task["id"], {"completed": False}, params={"keep_next": "true"})
    print(bad.text)
