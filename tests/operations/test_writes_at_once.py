"""Writes of one task at once, from two services: each takes effect after the other, and sees what it did."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from tests.support.client import User
from tests.support.concurrency import in_turn, together

Write = Callable[[User, str], httpx.Response]


def put(user: User, task_id: str) -> httpx.Response:
    """Create or replace the task."""
    return user.put(task_id, {"title": "put"})


def put_another(user: User, task_id: str) -> httpx.Response:
    """Create or replace the task, with another title."""
    return user.put(task_id, {"title": "put later"})


def create(user: User, task_id: str) -> httpx.Response:
    """Create the task if there is none."""
    return user.put(task_id, {"title": "created"}, headers={"If-None-Match": "*"})


def replace(user: User, task_id: str) -> httpx.Response:
    """Replace the task if it still has its first revision."""
    return user.put(task_id, {"title": "replaced"}, headers={"If-Match": '"2"'})


def delete(user: User, task_id: str) -> httpx.Response:
    """Delete the task."""
    return user.delete(task_id)


def restore(user: User, task_id: str) -> httpx.Response:
    """Restore the task."""
    return user.request("POST", f"/trash/{task_id}/restore")


def erase(user: User, task_id: str) -> httpx.Response:
    """Erase the task."""
    return user.request("DELETE", f"/trash/{task_id}")


def empty(user: User, task_id: str) -> httpx.Response:  # noqa: ARG001
    """Empty the trash."""
    return user.request("DELETE", "/trash")


ABSENT, LIVE, TRASHED = "absent", "live", "in the trash"


@pytest.mark.parametrize(
    ("state", "first", "second", "statuses", "revisions", "left"),
    [
        (ABSENT, put, put, (201, 200), 1, "put"),
        (ABSENT, put, put_another, (201, 200), 2, "put later"),
        (ABSENT, put, create, (201, 412), 1, "put"),
        (ABSENT, create, create, (201, 412), 1, "created"),
        (LIVE, replace, replace, (200, 412), 1, "replaced"),
        (LIVE, replace, put, (200, 200), 2, "put"),
        (LIVE, put, delete, (200, 204), 2, "in the trash"),
        (LIVE, delete, put, (204, 409), 1, "in the trash"),
        (LIVE, delete, replace, (204, 412), 1, "in the trash"),
        (LIVE, delete, delete, (204, 404), 1, "in the trash"),
        (LIVE, delete, restore, (204, 200), 2, "before"),
        (LIVE, delete, erase, (204, 204), 1, "nowhere"),
        (LIVE, delete, empty, (204, 204), 1, "nowhere"),
        (TRASHED, restore, put, (200, 200), 2, "put"),
        (TRASHED, restore, restore, (200, 200), 1, "before"),
        (TRASHED, restore, erase, (200, 404), 1, "before"),
        (TRASHED, restore, empty, (200, 204), 1, "before"),
        (TRASHED, erase, put, (204, 409), 0, "nowhere"),
        (TRASHED, erase, create, (204, 409), 0, "nowhere"),
        (TRASHED, erase, restore, (204, 404), 0, "nowhere"),
        (TRASHED, erase, erase, (204, 404), 0, "nowhere"),
        (TRASHED, empty, restore, (204, 404), 0, "nowhere"),
        (TRASHED, empty, empty, (204, 204), 0, "nowhere"),
        (TRASHED, put, restore, (409, 200), 1, "before"),
    ],
)
def test_a_write_that_waited_sees_what_the_one_before_it_did(
    database: str,
    ada: User,
    same_ada: User,
    state: str,
    first: Write,
    second: Write,
    statuses: tuple[int, int],
    revisions: int,
    left: str,
) -> None:
    ada.create("another")
    task_id = str(uuid4()) if state == ABSENT else ada.create("before")["id"]
    if state == TRASHED:
        delete(ada, task_id)
    before = ada.revision()
    one, other = in_turn(database, ada.id, lambda: first(ada, task_id), lambda: second(same_ada, task_id))
    assert (one.status_code, other.status_code) == statuses, (one.text, other.text)
    assert ada.revision() == before + revisions
    assert where(ada, task_id) == left


def where(user: User, task_id: str) -> str:
    """Return the task's title, or where it is."""
    response = user.get(f"/tasks/{task_id}")
    if response.status_code == 200:
        return str(response.json()["title"])
    trashed = [task["id"] for task in user.get("/trash").json()["tasks"]]
    return "in the trash" if task_id in trashed else "nowhere"


@pytest.mark.parametrize("is_new_user", [True, False])
def test_of_many_puts_of_one_new_id_one_creates_the_task(
    server: str, other_server: str, ada: User, is_new_user: bool
) -> None:
    before = 0 if is_new_user else ada.create("another")["revision"]
    for number in range(5):
        task_id = str(uuid4())

        def work(client: int, task_id: str = task_id) -> httpx.Response:
            with User((server, other_server)[client % 2], ada.id) as user:
                return put(user, task_id)

        responses = together(work, 20)
        assert sorted(response.status_code for response in responses) == [200] * 19 + [201]
        assert [response.json() for response in responses] == [ada.get(f"/tasks/{task_id}").json()] * 20
        assert ada.revision() == before + number + 1


def test_of_many_if_none_match_puts_of_one_id_only_one_succeeds(server: str, other_server: str, ada: User) -> None:
    task_id = str(uuid4())

    def work(client: int) -> httpx.Response:
        with User((server, other_server)[client % 2], ada.id) as user:
            return user.put(task_id, {"title": f"client {client}"}, headers={"If-None-Match": "*"})

    responses = together(work, 20)
    (created,) = (response.json() for response in responses if response.status_code == 201)
    refused = [response for response in responses if response.status_code == 412]
    assert [response.json()["task"] for response in refused] == [created] * 19
    assert ada.revision() == 1


def test_puts_deletions_and_restorations_of_one_task_never_fail(server: str, other_server: str, ada: User) -> None:
    task_id = ada.create("another")["id"]

    def work(client: int) -> list[tuple[Write, httpx.Response]]:
        write = (put, put_another, delete, restore)[client % 4]
        with User((server, other_server)[client // 4 % 2], ada.id) as user:
            return [(write, write(user, task_id)) for _ in range(25)]

    results = [one for client in together(work, 16) for one in client]
    expected: dict[Write, set[int]] = {put: {200, 409}, put_another: {200, 409}, delete: {204, 404}, restore: {200}}
    assert all(response.status_code in expected[write] for write, response in results)
    # A deletion takes a revision each, and so does each state that somebody was shown.
    shown = {response.json()["revision"] for _, response in results if response.status_code == 200}
    deletions = sum(response.status_code == 204 for _, response in results)
    assert ada.revision() == len(shown | {1}) + deletions
