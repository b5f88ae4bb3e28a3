"""Events: a stream that tells a client at once that there are changes to ask for."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.client import User, mint
from tests.support.events import streaming

OTHER_EPOCH = "1.1.0"


def token_of(user: User) -> str:
    """Return the sync token that a client has that has downloaded everything."""
    token: str = user.get("/changes", params={"limit": 1000}).json()["sync_token"]
    return token


def test_a_stream_says_when_it_listens_and_from_then_on_reports_each_change(ada: User) -> None:
    before = token_of(ada)
    with streaming(ada) as stream:
        ready = stream.next()
        assert (ready.name, ready.data, ready.id) == ("ready", {"type": "ready", "sync_token": before}, None)
        for revision in (1, 2, 3):
            ada.create()
            changed = stream.next()
            token = token_of(ada)
            data = {"type": "changed", "sync_token": token, "revision": revision}
            assert (changed.name, changed.data, changed.id) == ("changed", data, token)


def test_a_stream_is_neither_stored_nor_changed_nor_held_back_on_its_way(ada: User) -> None:
    with streaming(ada, headers={"Accept-Encoding": "gzip, br"}) as stream:
        assert stream.next().name == "ready"
        headers = stream.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-cache, no-transform"
        assert headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in headers


def test_a_client_that_loses_its_stream_returns_after_one_to_five_seconds(ada: User) -> None:
    times = set()
    for _ in range(5):
        with streaming(ada) as stream:
            stream.next()
            times.add(stream.retry)
    assert all(1000 <= (time or 0) <= 5000 for time in times)
    assert len(times) > 1


def test_every_kind_of_write_is_reported(ada: User) -> None:
    task = ada.create(tags=["home"])
    writes = [
        ("PATCH", f"/tasks/{task['id']}", {"title": "Another"}),
        ("PUT", f"/tasks/{task['id']}", {"title": "A third"}),
        ("PATCH", "/tasks?completed=false", {"tags": ["home"]}),
        ("PATCH", "/tags?name=home", {"name": "house"}),
        ("POST", "/batch", {"operations": [{"op": "create", "task": {"title": "Of a batch"}}]}),
        ("DELETE", f"/tasks/{task['id']}", None),
        ("POST", f"/trash/{task['id']}/restore", None),
        ("DELETE", "/tasks?completed=false", None),
    ]
    with streaming(ada) as stream:
        stream.next()
        for method, path, body in writes:
            response = ada.request(method, path, json=body) if body else ada.request(method, path)
            assert response.is_success, response.text
            assert stream.next().data["revision"] == ada.revision(), (method, path)


def test_a_write_without_effect_is_not_reported(ada: User) -> None:
    task = ada.create()
    with streaming(ada) as stream:
        stream.next()
        ada.patch(task["id"], {"title": task["title"]})
        ada.create()
        assert stream.next().data["revision"] == 2


def test_nobody_hears_of_another_users_changes(ada: User, grace: User) -> None:
    with streaming(grace) as stream:
        stream.next()
        ada.create()
        grace.create()
        assert stream.next().data["revision"] == 1
    assert httpx.get(f"{ada.http.base_url}/api/{grace.id}/events", headers=ada.http.headers).status_code == 403


def test_all_streams_of_a_user_report_a_change(ada: User) -> None:
    with streaming(ada) as first, streaming(ada) as second:
        assert {first.next().name, second.next().name} == {"ready"}
        ada.create()
        assert first.next() == second.next()


@pytest.mark.parametrize("given", ["query", "header"])
def test_a_client_that_has_missed_something_hears_of_it_at_once(ada: User, given: str) -> None:
    ada.create()
    behind = token_of(ada)
    ada.create()
    options: dict[str, Any] = (
        {"params": {"sync_token": behind}} if given == "query" else {"headers": {"Last-Event-ID": behind}}
    )
    with streaming(ada, **options) as stream:
        assert stream.next().data["sync_token"] == token_of(ada)
        assert stream.next().data == {"type": "changed", "sync_token": token_of(ada), "revision": 2}


def test_a_client_that_has_everything_hears_of_the_next_change(ada: User) -> None:
    ada.create()
    with streaming(ada, params={"sync_token": token_of(ada)}) as stream:
        stream.next()
        ada.create()
        assert stream.next().data["revision"] == 2


def test_the_last_event_id_takes_precedence_and_an_empty_one_is_none(ada: User) -> None:
    ada.create()
    behind = token_of(ada)
    ada.create()
    with streaming(ada, params={"sync_token": OTHER_EPOCH}, headers={"Last-Event-ID": behind}) as stream:
        assert [stream.next().name, stream.next().name] == ["ready", "changed"]
    with streaming(ada, params={"sync_token": behind}, headers={"Last-Event-ID": ""}) as stream:
        assert [stream.next().name, stream.next().name] == ["ready", "changed"]


@pytest.mark.parametrize("damaged", ["x", "1.2", "1.2.3.4", "01.2.3", "-1.0.0"])
def test_a_damaged_token_is_rejected_before_the_stream_begins(ada: User, damaged: str) -> None:
    by_query = ada.get("/events", params={"sync_token": damaged})
    assert (by_query.status_code, by_query.json()["errors"][0]["name"]) == (400, "sync_token")
    by_header = ada.get("/events", headers={"Last-Event-ID": damaged})
    assert (by_header.status_code, by_header.json()["errors"][0]["name"]) == (400, "Last-Event-ID")
    assert ada.get("/events", params={"sync_token": ""}).status_code == 400


def test_a_token_that_is_no_longer_valid_is_rejected_before_the_stream_begins(ada: User) -> None:
    ada.create()
    for options in ({"params": {"sync_token": OTHER_EPOCH}}, {"headers": {"Last-Event-ID": OTHER_EPOCH}}):
        response = ada.get("/events", **options)
        assert (response.status_code, response.json()["type"]) == (410, "urn:problem-type:todo-api:sync-reset")


def test_the_expiry_of_the_bearer_token_ends_a_stream_to_the_second(ada: User) -> None:
    expires_at = int(time.time()) + 2
    token = mint(ada.id, exp=expires_at)
    with streaming(ada, headers={"Authorization": f"Bearer {token}"}) as stream:
        *_, last = stream
        late = datetime.now(UTC).timestamp() - expires_at
    assert last.data == {"type": "bye", "reason": "token-expired"}
    assert last.id is None
    assert -0.1 < late < 1


def test_head_is_answered_at_once_and_holds_nothing(ada: User) -> None:
    for _ in range(30):
        response = ada.request("HEAD", "/events")
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream")
    with streaming(ada) as stream:
        assert stream.next().name == "ready"


def test_a_user_who_has_never_written_hears_of_the_first_change(ada: User) -> None:
    with streaming(ada, params={"sync_token": "0.0.0"}) as stream:
        assert stream.next().data == {"type": "ready", "sync_token": "0.0.0"}
        ada.create()
        assert re.fullmatch(r"[1-9][0-9]*\.1\.0", str(stream.next().id))
