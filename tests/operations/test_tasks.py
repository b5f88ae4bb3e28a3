"""Creating, reading and deleting a task."""

import socket
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import pytest

from tests.support.client import User, mint
from tests.support.conformance import CONTRACT


def test_a_task_needs_only_a_title(ada: User) -> None:
    response = ada.request("POST", "/tasks", json={"title": "Buy milk"})
    assert response.status_code == 201
    task = response.json()
    assert UUID(task.pop("id")).version == 7
    assert task.pop("created_at") == task.pop("updated_at")
    assert task == {
        "user_id": ada.id,
        "title": "Buy milk",
        "description": None,
        "completed": False,
        "completed_at": None,
        "priority": "Medium",
        "due_date": None,
        "due_time": None,
        "time_zone": None,
        "due_at": None,
        "recurrence": None,
        "rrule": None,
        "series_id": None,
        "occurrence_date": None,
        "next_task_id": None,
        "tags": [],
        "list_id": None,
        "parent_id": None,
        "position": "m000000000001",
        "revision": 1,
    }


def test_omitted_members_get_the_defaults_of_the_contract(ada: User) -> None:
    declared = CONTRACT["components"]["schemas"]["TaskCreate"]["properties"]
    defaults = {name: schema["default"] for name, schema in declared.items() if "default" in schema}
    assert defaults
    task = ada.create()
    assert {name: task[name] for name in defaults} == defaults


def test_a_task_keeps_every_member_that_it_was_created_with(ada: User) -> None:
    given: dict[str, Any] = {
        "title": "  Ünïcödé 🎉 ",
        "description": "two\nlines",
        "completed": True,
        "priority": "High",
        "due_date": "2026-02-28",
        "tags": ["b", "a,c", "Ä"],
    }
    task = ada.create(**given)
    assert {name: task[name] for name in given} == given
    assert task["completed_at"] == task["created_at"]
    assert task["created_at"].endswith("Z")


def test_the_location_header_of_a_new_task_leads_to_it(ada: User) -> None:
    response = ada.request("POST", "/tasks", json={"title": "Buy milk"})
    found = ada.http.get(response.headers["Location"])
    assert (found.status_code, found.json()) == (200, response.json())
    assert found.headers["ETag"] == response.headers["ETag"] == f'"{response.json()["revision"]}"'
    assert found.headers["Cache-Control"] == "private, no-cache"


def test_a_deleted_task_is_gone(ada: User) -> None:
    task = ada.create()
    assert ada.request("DELETE", f"/tasks/{task['id']}").status_code == 204
    assert ada.get(f"/tasks/{task['id']}").status_code == 404
    assert ada.patch(task["id"], {"title": "again"}).status_code == 404
    assert ada.request("DELETE", f"/tasks/{task['id']}").status_code == 404
    assert ada.titles() == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_user_cannot_reach_the_task_of_another_user(ada: User, grace: User, method: str) -> None:
    task = ada.create()
    body: dict[str, Any] = {"json": {"title": "stolen"}} if method == "PATCH" else {}
    assert grace.request(method, f"/tasks/{task['id']}", **body).status_code == 404
    assert grace.http.request(method, f"/api/{ada.id}/tasks/{task['id']}", **body).status_code == 403
    assert ada.get(f"/tasks/{task['id']}").json() == task


def test_an_unknown_task_id_returns_404(ada: User) -> None:
    assert ada.get(f"/tasks/{uuid4()}").status_code == 404


def test_user_ids_are_opaque_text(server: str) -> None:
    own = uuid4().hex
    ids = (str(uuid4().int), f"a b {own}", f"ä@{own}.example.com", f"{own}%", f"q?x=1#{own}", own.ljust(255, "x"))
    for user_id in ids:
        with User(server, user_id).http as client:
            made = client.post(f"/api/{quote(user_id, safe='')}/tasks", json={"title": "t"})
            assert made.status_code == 201, made.text
            assert client.get(made.headers["Location"]).json()["user_id"] == user_id


@pytest.mark.parametrize(
    ("head", "body"),
    [("Content-Length: 5", b"ab"), ("Transfer-Encoding: chunked", b"3\r\nabc\r\nzz\r\n")],
    ids=["cut off", "invalid"],
)
def test_a_delete_whose_body_is_cut_off_or_invalid_has_no_effect(ada: User, head: str, body: bytes) -> None:
    """An incomplete request must not take effect (RFC 9112, section 8), although a body of a DELETE is ignored."""
    task = ada.create(title="Keep me")
    target = f"/api/{ada.id}/tasks/{task['id']}"
    token = f"Authorization: Bearer {mint(ada.id)}"
    lines = [f"DELETE {target} HTTP/1.1", "Host: x", token, head, "", ""]
    address = urlsplit(str(ada.http.base_url))
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=20) as client:
        client.sendall("\r\n".join(lines).encode() + body)
        client.shutdown(socket.SHUT_WR)
        assert b" 204 " not in b"".join(iter(lambda: client.recv(4096), b""))
    assert ada.get(f"/tasks/{task['id']}").status_code == 200


def test_a_body_that_an_operation_does_not_take_has_a_limit_too(ada: User) -> None:
    task = ada.create()
    response = ada.request("DELETE", f"/tasks/{task['id']}", content=b"x" * 65_537)
    assert response.status_code == 400
    assert response.json()["errors"] == [{"in": "body", "pointer": "", "detail": "must have at most 65536 bytes"}]
    assert ada.request("DELETE", f"/tasks/{task['id']}", content=b"x" * 65_536).status_code == 204
