"""A user may prefer new tasks to come first."""

from uuid import uuid4

from tests.support.arranging import create_each, moved, order, positions
from tests.support.batches import create, run
from tests.support.client import User


def prefer(user: User, new_tasks: str) -> None:
    """Set where new tasks come."""
    assert user.request("PATCH", "/preferences", json={"new_tasks": new_tasks}).json()["new_tasks"] == new_tasks


def test_new_tasks_come_first_however_they_are_created(ada: User) -> None:
    prefer(ada, "first")
    ada.create("a")
    ada.put(str(uuid4()), {"title": "b"})
    run(ada, create(title="c"), create(title="d"))
    ada.request("POST", "/tasks", json={"title": "e"}, headers={"Idempotency-Key": uuid4().hex})
    assert order(ada) == "edcba"
    assert {len(position) for position in positions(ada)} == {13}


def test_the_preference_moves_no_task_and_can_be_changed_again(ada: User) -> None:
    create_each(ada, "ab")
    prefer(ada, "first")
    assert order(ada) == "ab"
    ada.create("c")
    prefer(ada, "last")
    ada.create("d")
    assert order(ada) == "cabd"


def test_new_tasks_come_before_what_was_moved_first(ada: User) -> None:
    prefer(ada, "first")
    tasks = create_each(ada, "ab")
    moved(ada, tasks["a"], at="first")
    ada.create("c")
    ada.create("d", position=tasks["b"]["position"] + "V")
    assert order(ada) == "cabd"


def test_the_preference_of_another_user_does_not_matter(ada: User, grace: User) -> None:
    prefer(grace, "first")
    create_each(ada, "ab")
    assert order(ada) == "ab"
