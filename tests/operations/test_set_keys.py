"""A write of many tasks with an Idempotency-Key takes effect once, and is answered alike as often as it is repeated."""

from typing import NamedTuple
from uuid import uuid4

import httpx
import pytest

from tests.support.client import Json, User
from tests.support.turns import together

REPEATED = ("Idempotency-Replayed", "true")


class Write(NamedTuple):
    """A write of many tasks, which has an effect again if tasks like the first ones are there, and its answer."""

    method: str
    path: str
    body: Json
    answer: Json

    def send(self, user: User, key: str | None) -> httpx.Response:
        """Send the write."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return user.request(self.method, self.path, json=self.body, headers=headers)


WRITES = [
    Write("PATCH", "/tasks?tags=a", {"remove_tags": ["a"]}, {"matched": 3, "changed": 3, "revision": 6}),
    Write("DELETE", "/tasks?tags=a", None, {"matched": 3, "changed": 3, "revision": 6}),
    Write("PATCH", "/tags?name=a", {"name": "b"}, {"changed": 3, "revision": 6}),
    Write("DELETE", "/tags?name=a", None, {"changed": 3, "revision": 6}),
]
NAMES = ["update_tasks", "delete_tasks", "rename_tag", "remove_tag"]
each_write = pytest.mark.parametrize("write", WRITES, ids=NAMES)


def create(user: User) -> None:
    """Create three tasks that each of the writes changes."""
    for _ in range(3):
        user.create(tags=["a"])


def revision_of(user: User) -> int:
    """Return the user's newest revision, which is the entity tag of the user's lists."""
    return int(user.get("/tags").headers["ETag"].removeprefix('W/"').removesuffix('"'))


def new_key() -> str:
    """Return a key that was never used."""
    return uuid4().hex


@each_write
def test_a_repeated_write_has_no_effect_and_the_first_ones_answer(ada: User, write: Write) -> None:
    create(ada)
    key = new_key()
    first = write.send(ada, key)
    assert first.status_code == 200
    assert first.json().items() >= write.answer.items()
    assert "Idempotency-Replayed" not in first.headers
    create(ada)
    for sent in (key, f'"{key}"'):
        again = write.send(ada, sent)
        assert (again.status_code, again.json()) == (200, first.json())
        assert REPEATED[1] == again.headers[REPEATED[0]]
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "private, no-cache"
    assert revision_of(ada) == 9
    assert ada.get("/tags").json()[0] == {"name": "a", "usage_count": 3}


@each_write
def test_20_requests_at_once_with_one_key_have_one_effect(server: str, ada: User, write: Write) -> None:
    create(ada)
    key = new_key()

    def send(_: int) -> tuple[int, str, str]:
        with User(server, ada.id) as user:
            response = write.send(user, key)
            return response.status_code, response.text, response.headers.get(REPEATED[0], "false")

    answers = together(send, 20)
    assert {(status, text) for status, text, _ in answers} == {(200, answers[0][1])}
    assert sorted(repeated for _, _, repeated in answers) == ["false"] + ["true"] * 19
    assert revision_of(ada) == 6


@each_write
def test_another_request_with_the_key_is_refused_and_has_no_effect(ada: User, grace: User, write: Write) -> None:
    create(ada)
    create(grace)
    key = new_key()
    assert write.send(ada, key).status_code == 200
    create(ada)
    for other in [write._replace(path=write.path.replace("=a", "=c")), *WRITES]:
        if other is not write:
            response = other.send(ada, key)
            assert response.status_code == 422
            assert response.json()["type"] == "urn:problem-type:todo-api:idempotency-mismatch"
    assert revision_of(ada) == 9
    assert write.send(grace, key).json()["revision"] == 6


@pytest.mark.parametrize("write", WRITES[:2], ids=NAMES[:2])
def test_an_answer_without_a_change_is_kept_too(ada: User, write: Write) -> None:
    key = new_key()
    nothing = write.send(ada, key)
    assert (nothing.status_code, nothing.json()["changed"], nothing.json()["revision"]) == (200, 0, 0)
    create(ada)
    again = write.send(ada, key)
    assert (again.json(), again.headers[REPEATED[0]]) == (nothing.json(), "true")
    assert revision_of(ada) == 3


def test_a_tag_renamed_to_itself_is_kept_too(ada: User) -> None:
    create(ada)
    write, key = WRITES[2]._replace(body={"name": "a"}), new_key()
    first, again = write.send(ada, key), write.send(ada, key)
    assert first.json() == again.json() == {"changed": 0, "revision": 3}
    assert again.headers[REPEATED[0]] == "true"


@pytest.mark.parametrize(
    ("write", "status"),
    [
        (Write("PATCH", "/tasks", {"title": "new"}, None), 400),
        (Write("PATCH", "/tasks?tags=a", {"add_tags": list(map(str, range(20)))}, None), 409),
        (Write("PATCH", "/tasks?tags=a", {"tags": [], "add_tags": []}, None), 400),
        (Write("DELETE", "/tasks?search=", None, None), 400),
        (Write("PATCH", "/tags?name=x", {"name": "b"}, None), 404),
        (Write("DELETE", "/tags?name=x", None, None), 404),
    ],
    ids=str,
)
def test_a_refused_write_leaves_the_key_free(ada: User, write: Write, status: int) -> None:
    create(ada)
    key = new_key()
    for _ in range(2):
        assert write.send(ada, key).status_code == status
    done = WRITES[0].send(ada, key)
    assert (done.status_code, done.json()) == (200, WRITES[0].answer)
    assert REPEATED[0] not in done.headers


@pytest.mark.parametrize("write", WRITES[:2], ids=NAMES[:2])
def test_a_dry_run_ignores_the_key(ada: User, write: Write) -> None:
    create(ada)
    key = new_key()
    dry = write._replace(path=f"{write.path}&dry_run=true")
    assert dry.send(ada, key).json()["changed"] == 3
    assert write.send(ada, key).json().items() >= write.answer.items()
    again = dry.send(ada, key)
    assert (again.json()["changed"], REPEATED[0] in again.headers) == (0, False)


def test_each_key_and_no_key_has_an_effect_of_its_own(ada: User) -> None:
    for key in (new_key(), new_key(), None, None):
        create(ada)
        response = WRITES[1].send(ada, key)
        assert (response.json()["changed"], REPEATED[0] in response.headers) == (3, False)
    assert revision_of(ada) == 24
