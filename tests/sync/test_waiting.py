"""Waiting for changes: `list_changes` with `wait`, which works through every proxy and with every generated client."""

import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.client import User, mint


def changes(user: User, token: str | None, wait: int, **options: Any) -> tuple[Any, float]:
    """Ask for changes. Return the answer, and how many seconds it took."""
    began = time.monotonic()
    params: dict[str, Any] = {"wait": wait} | ({} if token is None else {"sync_token": token})
    response = user.get("/changes", params=params, **options)
    assert response.status_code == 200, response.text
    return response.json(), time.monotonic() - began


def test_a_waiting_request_is_answered_as_soon_as_something_changes(ada: User) -> None:
    token = ada.sync_token()
    writer = threading.Timer(0.5, ada.create, ["Buy milk"])
    writer.start()
    page, seconds = changes(ada, token, wait=20)
    writer.join()
    assert [task["title"] for task in page["tasks"]] == ["Buy milk"]
    assert 0.4 < seconds < 5


def test_a_waiting_request_for_a_deletion_has_its_tombstone(ada: User) -> None:
    task = ada.create()
    token = ada.sync_token()
    writer = threading.Timer(0.3, ada.delete, [task["id"]])
    writer.start()
    page, _ = changes(ada, token, wait=20)
    writer.join()
    assert [one["id"] for one in page["deleted"]] == [task["id"]]


def test_without_a_change_the_answer_is_empty_in_the_end(ada: User) -> None:
    ada.create()
    token = ada.sync_token()
    page, seconds = changes(ada, token, wait=1)
    nothing: dict[str, list[object]] = {"tasks": [], "deleted": [], "lists": [], "deleted_lists": []}
    assert page == {**nothing, "sync_token": token, "has_more": False}
    assert 0.9 < seconds < 4


def test_nothing_waits_that_has_something_to_say_or_that_has_no_token(ada: User) -> None:
    token = ada.sync_token()
    assert changes(ada, None, wait=20)[1] < 5
    ada.create()
    page, seconds = changes(ada, token, wait=20)
    assert (len(page["tasks"]), seconds < 5) == (1, True)


def test_head_does_not_wait(ada: User) -> None:
    began = time.monotonic()
    assert ada.request("HEAD", "/changes", params={"sync_token": ada.sync_token(), "wait": 20}).status_code == 200
    assert time.monotonic() - began < 5


def test_the_bearer_token_may_expire_meanwhile(ada: User) -> None:
    headers = {"Authorization": f"Bearer {mint(ada.id, exp=int(time.time()) + 1)}"}
    page, seconds = changes(ada, ada.sync_token(), wait=3, headers=headers)
    assert (page["tasks"], seconds > 2.5) == ([], True)


@pytest.mark.parametrize("wait", [-1, 31])
def test_the_time_is_limited(ada: User, wait: int) -> None:
    assert ada.get("/changes", params={"wait": wait}).status_code == 400


def test_a_client_that_leaves_waits_no_longer(ada: User) -> None:
    token = ada.sync_token()
    for _ in range(25):
        with pytest.raises(httpx.ReadTimeout):
            ada.get("/changes", params={"sync_token": token, "wait": 30}, timeout=0.1)
    assert changes(ada, token, wait=1)[0]["tasks"] == []


def test_a_client_that_ends_what_it_sends_is_answered_at_once(ada: User) -> None:
    path = f"/api/{ada.id}/changes?wait=20&sync_token={ada.sync_token()}"
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {ada.http.headers['Authorization']}\r\n\r\n"
    address = urlsplit(str(ada.http.base_url))
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=5) as client:
        client.sendall(head.encode())
        client.shutdown(socket.SHUT_WR)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
