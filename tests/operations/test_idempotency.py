"""Idempotency keys on `create_task`: requests with one key create one task, and get the same answer."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.support.client import Json, User

REPLAYED = "Idempotency-Replayed"
CLIENTS = 20
KEYS = 50


def post(user: User, key: str, body: Json | bytes = b'{"title": "A task"}', path: str | None = None) -> httpx.Response:
    """POST a task with a key."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    return user.http.post(path or f"/api/{user.id}/tasks", content=content, headers=headers)


def created(user: User, key: str, body: Json | bytes = b'{"title": "A task"}') -> httpx.Response:
    """Create a task with a new key; return the response."""
    response = post(user, key, body)
    assert (response.status_code, REPLAYED in response.headers) == (201, False), response.text
    return response


def revision_of(user: User) -> int:
    """Return the user's newest revision."""
    return int(user.get("/tags").headers["ETag"].strip('W/"'))


def test_the_same_request_again_gets_the_same_answer_and_creates_nothing(ada: User) -> None:
    first = created(ada, "key")
    again = post(ada, "key")
    assert again.headers[REPLAYED] == "true"
    assert (again.status_code, again.json()) == (201, first.json())
    assert {name: again.headers[name] for name in ("Location", "ETag", "Cache-Control")} == {
        name: first.headers[name] for name in ("Location", "ETag", "Cache-Control")
    }
    assert ada.http.get(again.headers["Location"]).json() == first.json()
    assert (ada.titles(), revision_of(ada)) == (["A task"], 1)


def test_a_task_created_with_a_key_is_like_one_created_without(ada: User) -> None:
    members: Json = {"title": "All", "description": "d", "completed": True, "priority": "High", "tags": ["a", "b"]}
    keyed = created(ada, "key", members | {"due_date": "2026-11-24"}).json()
    plain = ada.create(**members, due_date="2026-11-24")
    own = ("id", "completed_at", "created_at", "updated_at", "revision", "position")
    assert {**plain, **{name: keyed[name] for name in own}} == keyed
    assert keyed["completed_at"] == keyed["created_at"] == keyed["updated_at"]
    assert (keyed["revision"], plain["revision"]) == (1, 2)


def test_a_repeated_answer_shows_the_task_and_its_entity_tag_as_they_are_now(ada: User) -> None:
    task = created(ada, "key").json()
    changed = ada.patch(task["id"], {"title": "Changed"}).json()
    again = post(ada, "key")
    assert (again.status_code, again.headers[REPLAYED], again.headers["ETag"]) == (201, "true", '"2"')
    assert again.json() == changed
    assert again.headers["Location"].endswith(f"/tasks/{task['id']}")


def test_if_the_task_has_been_deleted_since_the_repetition_is_410(ada: User) -> None:
    task = created(ada, "key").json()
    assert ada.request("DELETE", f"/tasks/{task['id']}").status_code == 204
    for _ in range(2):
        gone = post(ada, "key")
        assert (gone.status_code, gone.headers[REPLAYED]) == (410, "true")
        assert gone.json()["type"] == "urn:problem-type:todo-api:gone"
    assert (ada.titles(), revision_of(ada)) == ([], 2)


def test_another_request_with_the_key_is_422_and_creates_nothing(ada: User) -> None:
    created(ada, "key")
    refused = post(ada, "key", {"title": "Another task"})
    assert (refused.status_code, REPLAYED in refused.headers) == (422, False)
    assert refused.json()["type"] == "urn:problem-type:todo-api:idempotency-mismatch"
    assert (ada.titles(), revision_of(ada)) == (["A task"], 1)
    assert post(ada, "key").headers[REPLAYED] == "true"


def test_another_request_is_422_even_if_the_task_has_been_deleted(ada: User) -> None:
    task = created(ada, "key").json()
    ada.request("DELETE", f"/tasks/{task['id']}")
    assert post(ada, "key", {"title": "Another task"}).status_code == 422


@pytest.mark.parametrize(
    "same",
    [
        b'{"tags": ["x", "y"], "title": "\xc3\x84", "completed": false}',
        b' {\r\n"completed":false,"title":"\xc3\x84","tags":[ "x","y" ]}\n',
        b'{"title": "\\u00c4", "completed": false, "tags": ["x", "y"]}',
        b'{"title": "first", "completed": false, "tags": ["x", "y"], "title": "\xc3\x84"}',
    ],
    ids=["members in another order", "other white space", "escaped", "a member twice"],
)
def test_bodies_that_parse_to_the_same_members_are_the_same_request(ada: User, same: bytes) -> None:
    first = created(ada, "key", b'{"title": "\xc3\x84", "completed": false, "tags": ["x", "y"]}')
    again = post(ada, "key", same)
    assert (again.status_code, again.headers.get(REPLAYED), again.json()) == (201, "true", first.json())


@pytest.mark.parametrize(
    "other",
    [
        {"title": "\u00c4", "completed": False, "tags": ["y", "x"]},
        {"title": "\u00c4", "completed": False},
        {"title": "\u00c4", "completed": True, "tags": ["x", "y"]},
        {"title": "\u00c4", "completed": False, "tags": ["x", "y"], "priority": "Medium"},
        {"title": "A\u0308", "completed": False, "tags": ["x", "y"]},
    ],
    ids=["values in another order", "a member less", "another value", "a default spelled out", "not normalised"],
)
def test_bodies_that_parse_to_other_members_are_another_request(ada: User, other: Json) -> None:
    created(ada, "key", {"title": "\u00c4", "completed": False, "tags": ["x", "y"]})
    assert post(ada, "key", other).status_code == 422


def test_a_path_is_the_same_however_it_is_encoded(ada: User) -> None:
    first = created(ada, "key")
    again = post(ada, "key", path=f"/api/%{ord(ada.id[0]):x}{ada.id[1:]}/tasks")
    assert (again.status_code, again.headers[REPLAYED], again.json()) == (201, "true", first.json())


@pytest.mark.parametrize(("first", "second"), [("a-Key_1.2:3~", '"a-Key_1.2:3~"'), ('"x"', "x"), ("y" * 255,) * 2])
def test_a_key_in_quotes_is_the_same_key(ada: User, first: str, second: str) -> None:
    task = created(ada, first).json()
    again = post(ada, second)
    assert (again.headers.get(REPLAYED), again.json().get("id")) == ("true", task["id"]), again.text


def test_keys_differ_by_case(ada: User) -> None:
    assert created(ada, "key").json()["id"] != created(ada, "KEY").json()["id"]


def test_a_key_belongs_to_its_user(ada: User, grace: User) -> None:
    key = uuid4().hex
    of_ada = created(ada, key).json()
    of_grace = created(grace, key, {"title": "Another task"}).json()
    assert of_ada["id"] != of_grace["id"]
    assert (post(ada, key).json(), ada.titles(), grace.titles()) == (of_ada, ["A task"], ["Another task"])


@pytest.mark.parametrize("key", ["", '""', '"', "a b", '"a', 'a"', "\u00e4".encode(), "x" * 256, "a,b", "a/b"])
def test_a_malformed_key_is_400(ada: User, key: str) -> None:
    refused = post(ada, key)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["name"] == "Idempotency-Key"
    assert ada.titles() == []


def test_an_invalid_body_is_400_and_leaves_the_key_free(ada: User) -> None:
    assert post(ada, "key", {"title": ""}).status_code == 400
    created(ada, "key")
    assert post(ada, "key", {"title": ""}).status_code == 400
    assert post(ada, "key").headers[REPLAYED] == "true"


def test_a_refused_request_leaves_the_key_free(ada: User, grace: User) -> None:
    assert post(grace, "key", path=f"/api/{ada.id}/tasks").status_code == 403
    anonymous = httpx.post(
        f"{ada.http.base_url}/api/{ada.id}/tasks", json={"title": "x"}, headers={"Idempotency-Key": "key"}
    )
    assert anonymous.status_code == 401
    created(ada, "key")
    created(grace, "key")


def test_of_many_requests_at_once_each_key_creates_one_task(server: str, ada: User) -> None:
    def work(_: int) -> list[tuple[str, bool, str]]:
        """Send one request with each key; return each key, whether the answer was the first one, and its id."""
        with User(server, ada.id) as user:
            answers = [(f"key-{number}", post(user, f"key-{number}")) for number in range(KEYS)]
        assert {answer.status_code for _, answer in answers} == {201}
        return [(key, REPLAYED not in answer.headers, answer.json()["id"]) for key, answer in answers]

    with ThreadPoolExecutor(CLIENTS) as threads:
        answers = [answer for answers in threads.map(work, range(CLIENTS)) for answer in answers]
    assert Counter(key for key, is_first, _ in answers if is_first) == {f"key-{number}": 1 for number in range(KEYS)}
    assert len({(key, task_id) for key, _, task_id in answers}) == KEYS
    tasks = ada.get("/tasks", params={"limit": 100}).json()["tasks"]
    assert {task["id"] for task in tasks} == {task_id for _, _, task_id in answers}
    assert sorted(task["revision"] for task in tasks) == list(range(1, KEYS + 1))
    assert revision_of(ada) == KEYS
