"""Lists have a Sync-Token, from which a client that has read the list continues with `list_changes`."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import httpx
import pytest

from tests.support import batches
from tests.support.changes import Copy, changes, listed, purge
from tests.support.client import Json, User

LISTS = ["/tasks", "/tasks?limit=1&sort_by=title", "/tasks?completed=true", "/tasks?search=none&offset=9", "/tags"]


def token_of(response: httpx.Response) -> str:
    """Return the token of a list."""
    return response.headers["Sync-Token"]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_the_token_of_a_client_that_has_all_changes(ada: User, path: str) -> None:
    assert token_of(ada.get(path)) == changes(ada)["sync_token"] == "0.0.0"
    for _ in range(2):
        ada.create(tags=["a"])
        assert token_of(ada.get(path)) == changes(ada)["sync_token"]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_that_is_not_modified_has_it_too(ada: User, path: str) -> None:
    for _ in range(2):
        listing = ada.get(path)
        again = ada.get(path, headers={"If-None-Match": listing.headers["ETag"]})
        assert (again.status_code, token_of(again)) == (304, token_of(listing))
        ada.create()


def test_a_page_that_follows_a_cursor_has_its_own(ada: User) -> None:
    for _ in range(3):
        ada.create()
    first = ada.get("/tasks", params={"limit": 1})
    ada.create()
    second = ada.get("/tasks", params={"limit": 1, "cursor": first.json()["next_cursor"]})
    assert token_of(second) == changes(ada)["sync_token"] != token_of(first)


def test_neither_writes_nor_single_tasks_have_one(ada: User) -> None:
    created = ada.request("POST", "/tasks", json={"title": "1"})
    path = f"/tasks/{created.json()['id']}"
    responses = [created, ada.get(path), ada.request("PATCH", path, json={"title": "2"}), ada.get("/trash")]
    responses += [batches.send(ada, batches.create()), ada.get("/changes"), ada.request("DELETE", path)]
    for response in responses:
        assert response.is_success
        assert "Sync-Token" not in response.headers


def test_a_list_says_nothing_of_deletions_of_before_it(ada: User, database: str) -> None:
    kept, gone = ada.create("1"), ada.create("2")
    ada.delete(gone["id"])
    purge(database, ada)
    token = token_of(ada.get("/tasks"))
    changed = ada.patch(kept["id"], {"title": "3"}).json()
    assert changes(ada, token)["tasks"] == [changed]


@contextmanager
def writing(user: User) -> Iterator[None]:
    """Have four threads create, change and delete tasks of the user meanwhile."""
    ends = time.monotonic() + 20
    stopped = False

    def write(seed: int) -> int:
        random, own, number = Random(seed), [user.create()["id"]], 0  # noqa: S311 - chooses writes, not secrets
        while not stopped and time.monotonic() < ends:
            number += 1
            chosen = random.choice(own)
            match random.randrange(4):
                case 0:
                    own.append(user.create(str(number))["id"])
                case 1 if len(own) > 3:
                    own.remove(chosen)
                    user.delete(chosen)
                case 2:
                    made = batches.results(user, batches.create(), batches.update(chosen, title=str(number)))
                    own.append(made[0]["id"])
                case _:
                    user.patch(chosen, {"title": str(number)})
        return number

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(write, seed) for seed in range(4)]
        try:
            yield
        finally:
            stopped = True
            assert min(writer.result() for writer in writers) > 0


def read_pages(user: User) -> tuple[dict[str, Json], str]:
    """Read a list page by page; return its tasks, and the token of its first page."""
    first = user.get("/tasks", params={"limit": 5})
    tasks, cursor = first.json()["tasks"], first.json()["next_cursor"]
    while cursor:
        page = user.get("/tasks", params={"limit": 5, "cursor": cursor}).json()
        tasks, cursor = tasks + page["tasks"], page["next_cursor"]
    return {task["id"]: task for task in tasks}, token_of(first)


def test_a_client_that_lists_first_misses_nothing_that_is_written_meanwhile(ada: User) -> None:
    copies = []
    with writing(ada):
        for limit in (1, 2, 7, 500):
            copy = Copy()
            copy.tasks, copy.token = read_pages(ada)
            copies.append(copy)
            for _ in range(10):
                copy.apply(changes(ada, copy.token, limit=limit))
    expected = listed(ada)
    for copy in copies:
        copy.catch_up(ada, limit=3)
        assert copy.tasks == expected
