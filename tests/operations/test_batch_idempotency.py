"""A batch with an Idempotency-Key takes effect once; a repetition returns its statuses, ids and revision."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.batches import create, delete, replace, restore, send, statuses, update
from tests.support.client import Json, User

KEY = "7f8d1d6e-6a2b-4b0e-9d53-0c9e6f0b8a11"


def repeated(response: httpx.Response) -> Json:
    """Return the body of a repeated answer."""
    assert response.status_code == 200, response.text
    assert response.headers["Idempotency-Replayed"] == "true"
    return response.json()


def without_instances(body: Json) -> Json:
    """Return the body of a batch without the ids of the request in its problems."""
    for result in body["results"]:
        result.get("problem", {}).pop("instance", None)
    return body


def test_a_repeated_batch_changes_nothing_and_gets_the_same_answer(ada: User) -> None:
    task, other = ada.create(), ada.create()
    operations = create("new"), create("chosen", id=str(uuid4())), update(task["id"], title="b"), delete(other["id"])
    first = send(ada, *operations, key=KEY)
    assert "Idempotency-Replayed" not in first.headers
    again = send(ada, *operations, key=f'"{KEY}"')
    assert repeated(again) == first.json()
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert ada.create()["revision"] == first.json()["revision"] + 1


def test_each_task_in_a_repeated_answer_is_as_it_is_now(ada: User) -> None:
    operations = create("one"), create("two"), create("three")
    first = send(ada, *operations, key=KEY).json()
    ids = [one["id"] for one in first["results"]]
    changed = ada.patch(ids[1], {"title": "changed"}).json()
    ada.request("DELETE", f"/tasks/{ids[2]}")
    body = repeated(send(ada, *operations, key=KEY))
    assert body["revision"] == first["revision"] == 3
    assert body["results"] == [
        first["results"][0],
        {"status": 201, "id": ids[1], "task": changed},
        {"status": 201, "id": ids[2]},
    ]


def test_a_repeated_deletion_has_no_task_even_if_it_was_restored_since(ada: User) -> None:
    task = ada.create()
    first = send(ada, delete(task["id"]), key=KEY)
    assert send(ada, restore(task["id"])).status_code == 200
    assert repeated(send(ada, delete(task["id"]), key=KEY)) == first.json()
    assert ada.get(f"/tasks/{task['id']}").status_code == 200


def test_failures_of_an_independent_batch_are_repeated_with_the_tasks_as_they_are_now(ada: User) -> None:
    task, other, third = ada.create("a"), ada.create("b"), ada.create("c")
    operations = (
        update(task["id"], title="x", if_revision=7),
        create("again", id=other["id"]),
        update(third["id"], base={"title": "y", "tags": ["z"]}, title="x", tags=[]),
        delete(str(uuid4())),
        create("new"),
    )
    first = send(ada, *operations, mode="independent", key=KEY)
    assert statuses(first.json()["results"]) == [412, 409, 409, 404, 201]
    again = send(ada, *operations, mode="independent", key=KEY)
    assert again.json()["results"][0]["problem"]["instance"].endswith(again.headers["X-Request-ID"])
    assert without_instances(repeated(again)) == without_instances(first.json())
    changed = ada.patch(task["id"], {"title": "now"}).json()
    ada.request("DELETE", f"/tasks/{third['id']}")
    found = repeated(send(ada, *operations, mode="independent", key=KEY))["results"]
    assert statuses(found) == [412, 409, 409, 404, 201]
    assert found[0]["problem"]["task"] == changed
    assert found[2]["problem"]["members"] == ["title"]
    assert "task" not in found[2]["problem"]


def test_a_batch_that_changed_nothing_is_repeated_too(ada: User) -> None:
    task = ada.create()
    for number, operations in enumerate([(restore(task["id"]),), (delete(str(uuid4())),)]):
        first = send(ada, *operations, mode="independent", key=str(number))
        ada.patch(task["id"], {"title": f"changed {number}"})
        body = repeated(send(ada, *operations, mode="independent", key=str(number)))
        assert body["revision"] == first.json()["revision"]


def test_a_failed_atomic_batch_leaves_the_key_free(ada: User) -> None:
    chosen = str(uuid4())
    operations = create("new"), update(chosen, title="b")
    assert send(ada, *operations, key=KEY).status_code == 409
    ada.request("POST", "/batch", json={"operations": [create("other", id=chosen)]})
    second = send(ada, *operations, key=KEY)
    assert (second.status_code, "Idempotency-Replayed" in second.headers) == (200, False)
    assert repeated(send(ada, *operations, key=KEY)) == second.json()


def test_an_invalid_batch_leaves_the_key_free(ada: User) -> None:
    assert send(ada, update(str(uuid4()), base={}, title="b"), key=KEY).status_code == 400
    assert send(ada, create(), key=KEY).status_code == 200
    assert send(ada, update(str(uuid4()), base={}, title="b"), key=KEY).status_code == 400


def test_another_batch_with_the_key_is_422(ada: User) -> None:
    operations: list[Json] = [create("one"), create("two")]
    send(ada, *operations, key=KEY)
    others: list[dict[str, Any]] = [
        {"operations": operations[::-1]},
        {"operations": operations, "mode": "independent"},
        {"operations": operations[:1]},
    ]
    for body in others:
        response = ada.request("POST", "/batch", json=body, headers={"Idempotency-Key": KEY})
        assert response.status_code == 422
        assert response.json()["type"] == "urn:problem-type:todo-api:idempotency-mismatch"
    assert len(ada.titles()) == 2


def test_keys_are_the_users_own(ada: User, grace: User) -> None:
    for user in (ada, grace):
        assert "Idempotency-Replayed" not in send(user, create(), key=KEY).headers


def test_a_replacement_that_created_is_repeated_with_201(ada: User) -> None:
    operation = replace(str(uuid4()), "new")
    first = send(ada, operation, key=KEY)
    assert repeated(send(ada, operation, key=KEY)) == first.json()
    assert statuses(first.json()["results"]) == [201]


def test_a_body_may_nest_what_is_ignored_as_deeply_as_without_a_key(ada: User) -> None:
    task_id, nested = uuid4(), "[" * 1000 + "]" * 1000
    operation = f'{{"op": "replace", "id": "{task_id}", "task": {{"title": "new", "revision": {nested}}}}}'

    def post(body: str) -> httpx.Response:
        headers = {"Content-Type": "application/json", "Idempotency-Key": KEY}
        return ada.request("POST", "/batch", content=body, headers=headers)

    first = post(f'{{"operations": [{operation}]}}')
    assert repeated(post(f'{{"operations": [{operation}]}}')) == first.json()
    assert post(f'{{"operations": [{operation}], "mode": "independent"}}').status_code == 422
