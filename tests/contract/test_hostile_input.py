"""Input that no frontend sends: its effects, where a status alone (see the corpus) does not show them."""

import re

import httpx
import pytest

from tests.support.client import User
from tests.support.server import send_raw

JSON = {"Content-Type": "application/json"}


def is_problem(response: httpx.Response) -> bool:
    """Return whether a response reports a client error as a problem document."""
    if response.headers.get("Content-Type") != "application/problem+json":
        return False
    return 400 <= response.status_code < 500 and bool(response.json()["status"] == response.status_code)


def send(user: User, method: str, target: str) -> httpx.Response:
    """Send a request without normalising its target."""
    return user.http.request(method, "/", extensions={"target": target.encode()})


@pytest.mark.parametrize("depth", [250, 254, 255, 300, 1000, 1023, 1024, 1025])
@pytest.mark.parametrize(
    "before",
    [b'{"title": "t", "z": ', b'{"title": "t", "tags": ', b'{"title": ', b""],
    ids=["unknown member", "tags", "title", "whole body"],
)
def test_an_invalid_body_is_rejected_at_any_depth_of_nesting(ada: User, before: bytes, depth: int) -> None:
    content = before + b"[" * depth + b"]" * depth + (b"}" if before else b"")
    response = ada.request("POST", "/tasks", content=content, headers=JSON)
    assert is_problem(response)
    assert response.status_code == 400
    assert response.json()["errors"]


def test_the_last_of_duplicate_members_counts(ada: User) -> None:
    response = ada.request("POST", "/tasks", content=b'{"title": 1, "title": "first", "title": "last"}', headers=JSON)
    assert (response.status_code, response.json()["title"]) == (201, "last")


def test_a_json_escape_means_the_same_as_the_character_itself(ada: User) -> None:
    response = ada.request("POST", "/tasks", content=b'{"\\u0074itle": "\\ud83c\\udf89"}', headers=JSON)
    assert (response.status_code, response.json()["title"]) == (201, "🎉")


def test_a_percent_sign_that_encodes_nothing_is_an_ordinary_character(ada: User) -> None:
    ada.create("100%")
    for query in ("search=100%", "search=%25", "search=%"):
        response = send(ada, "GET", f"/api/{ada.id}/tasks?{query}")
        assert [task["title"] for task in response.json()["tasks"]] == ["100%"]


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "%", "_", "\\", "$1", "%s", "%(x)s", ":x", "{}", "\u202e", "\ufffe", "\r\n"]
)
def test_text_is_stored_and_matched_literally(ada: User, text: str) -> None:
    ada.create("another")
    ada.create(f"a{text}b", tags=[f"a{text}b"])
    assert ada.titles(search=text) == [f"a{text}b"]
    assert ada.titles(tags=f"a{text}b") == [f"a{text}b"]


def test_the_host_header_does_not_change_the_location(ada: User) -> None:
    ordinary = ada.request("POST", "/tasks", json={"title": "t"})
    chosen = ada.request("POST", "/tasks", json={"title": "t"}, headers={"Host": "evil.example.com"})
    assert chosen.status_code == ordinary.status_code == 201
    assert chosen.headers["Location"].startswith(f"/api/{ada.id}/tasks/")


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


def head_of(ada: User, line: bytes, *fields: bytes) -> bytes:
    """Return the head of a request with the user's token."""
    authorization = b"Authorization: " + ada.http.headers["Authorization"].encode()
    return b"\r\n".join([line, b"Host: x", authorization, *fields, b"", b""])


@pytest.mark.parametrize("segments", [1, 2], ids=["one segment", "two segments"])
@pytest.mark.parametrize(
    "upgrade", [UPGRADE, b"Connection: Upgrade\r\nUpgrade: websocket\r\n"], ids=["h2c", "websocket"]
)
def test_an_upgrade_is_ignored_and_its_body_is_not_read_as_a_request(ada: User, upgrade: bytes, segments: int) -> None:
    content = b'{"title": "GET /smuggled HTTP/1.1"}'
    line = f"POST /api/{ada.id}/tasks HTTP/1.1".encode()
    length = b"Content-Length: %d" % len(content)
    head = head_of(ada, line, upgrade.rstrip(), b"Content-Type: application/json", length)
    after = head_of(ada, f"GET /api/{ada.id}/tags HTTP/1.1".encode(), b"Connection: close")
    parts = [head + content + after] if segments == 1 else [head, content + after]
    answer = send_raw(str(ada.http.base_url), *parts)
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"201", b"200"]
    assert ada.titles() == ["GET /smuggled HTTP/1.1"]


def test_many_pipelined_upgrades_each_get_a_response(server: str) -> None:
    one = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n" + UPGRADE + b"\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert send_raw(server, one * 600 + last).count(b"HTTP/1.1 ") == 601


@pytest.mark.parametrize(
    "garbage", [b"GARBAGE\r\n\r\n", b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["garbage", "CONNECT"]
)
def test_unparsable_input_returns_400_after_the_responses_to_earlier_requests(ada: User, garbage: bytes) -> None:
    content = b'{"title": "kept"}'
    length = b"Content-Length: %d" % len(content)
    head = head_of(ada, f"POST /api/{ada.id}/tasks HTTP/1.1".encode(), b"Content-Type: application/json", length)
    answer = send_raw(str(ada.http.base_url), (head + content) * 2 + garbage)
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"201", b"201", b"400"]
    assert ada.titles() == ["kept", "kept"]


def test_a_malformed_chunked_body_is_rejected_at_once(ada: User) -> None:
    head = head_of(
        ada,
        f"POST /api/{ada.id}/tasks HTTP/1.1".encode(),
        b"Content-Type: application/json",
        b"Transfer-Encoding: chunked",
    )
    answer = send_raw(str(ada.http.base_url), head + b"nonsense\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"detail":"The body is not valid HTTP"' in answer


@pytest.mark.parametrize(
    "field", [b"X-A: ", b"X-" + b"A" * 20_000 + b": b\r\n"], ids=["one long value", "many long names"]
)
def test_a_request_head_above_64_kib_is_rejected(server: str, field: bytes) -> None:
    segment = field + b"a" * 10_000
    answer = send_raw(server, b"GET /health HTTP/1.1\r\n", *[segment] * (1 + 65_536 // len(segment)))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"must have at most 65,536 bytes" in answer


def test_a_request_head_with_more_than_100_fields_is_rejected_before_it_is_complete(server: str) -> None:
    line, fields = b"GET /health HTTP/1.1\r\n", b"Host: x\r\nConnection: close\r\n" + b"a:\r\n" * 98
    assert send_raw(server, line + fields + b"\r\n").startswith(b"HTTP/1.1 200 ")
    answer = send_raw(server, line + fields + b"a:\r\na:")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"must have at most 100 fields" in answer


def test_a_request_that_asks_to_upgrade_may_not_have_more_fields(server: str) -> None:
    answer = send_raw(server, b"GET /health HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"a:\r\n" * 97 + b"\r\n")
    assert b"must have at most 100 fields" in answer


def test_whitespace_after_a_header_value_is_ignored(ada: User) -> None:
    task = ada.create()
    line = f"DELETE /api/{ada.id}/tasks/{task['id']} HTTP/1.1".encode()
    fields = (b'If-Match: "1" \t', b"X-Request-ID: abc  ", b"Connection: close")
    answer = send_raw(str(ada.http.base_url), head_of(ada, line, *fields))
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"x-request-id: abc\r\n" in answer
