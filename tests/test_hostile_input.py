"""Input that no frontend sends: refused as a problem document, never a fault of the server."""

import re
from uuid import uuid4

import httpx
import pytest

from tests.client import User
from tests.server import send_raw

JSON = {"Content-Type": "application/json"}


def is_problem(response: httpx.Response) -> bool:
    """Tell whether a response is a client's error, told as a problem document."""
    if response.headers.get("Content-Type") != "application/problem+json":
        return False
    return 400 <= response.status_code < 500 and bool(response.json()["status"] == response.status_code)


def send(user: User, method: str, target: str) -> httpx.Response:
    """Send a request whose target is not normalised."""
    return user.http.request(method, "/", extensions={"target": target.encode()})


@pytest.mark.parametrize(
    ("content", "status"),
    {
        "empty": (b"", 400),
        "null": (b"null", 400),
        "list": (b"[]", 400),
        "list of objects": (b'[{"title": "t"}]', 400),
        "text": (b'"x"', 400),
        "number": (b"1", 400),
        "true": (b"true", 400),
        "blank": (b"   ", 400),
        "half": (b'{"title": "t"', 400),
        "two": (b'{"title": "t"} {"title": "t"}', 400),
        "trailing comma": (b'{"title": "t",}', 400),
        "comment": (b'{"title": "t"} // x', 400),
        "single quotes": (b"{'title': 't'}", 400),
        "not UTF-8": (b'{"title": "\xff"}', 400),
        "overlong UTF-8": (b'{"title": "\xc0\x80"}', 400),
        "surrogate in UTF-8": (b'{"title": "\xed\xa0\x80"}', 400),
        "UTF-16": ('{"title": "t"}'.encode("utf-16"), 400),
        "BOM": (b'\xef\xbb\xbf{"title": "t"}', 400),
        "raw NUL": (b'{"title": "a\x00b"}', 400),
        "raw newline": (b'{"title": "a\nb"}', 400),
        "NaN": (b'{"title": NaN}', 400),
        "Infinity": (b'{"title": Infinity}', 400),
        "-Infinity": (b'{"title": -Infinity}', 400),
        "1e999": (b'{"title": "t", "completed": 1e999}', 400),
        "integer of 5,000 digits": (b'{"title": ' + b"9" * 5000 + b"}", 400),
        "fraction of 5,000 digits": (b'{"title": 0.' + b"9" * 5000 + b"}", 400),
        "lone high surrogate": (b'{"title": "\\ud800"}', 400),
        "lone low surrogate": (b'{"title": "a\\udfffb"}', 400),
        "surrogates in the wrong order": (b'{"title": "\\udc00\\ud800"}', 400),
        "surrogate in a tag": (b'{"title": "t", "tags": ["\\ud800"]}', 400),
        "surrogate in a member's name": (b'{"title": "t", "\\ud800": 1}', 400),
        "U+0000 in the title": (b'{"title": "a\\u0000b"}', 400),
        "U+0000 in the description": (b'{"title": "t", "description": "\\u0000"}', 400),
        "U+0000 in a tag": (b'{"title": "t", "tags": ["a\\u0000"]}', 400),
        "U+0000 in a date": (b'{"title": "t", "due_date": "2026-01-0\\u0000"}', 400),
        "U+0000 in a member's name": (b'{"title": "t", "\\u0000": 1}', 400),
        "prototype": (b'{"title": "t", "__proto__": {"completed": true}}', 400),
        "title nested 200 deep": (b'{"title": ' + b"[" * 200 + b"]" * 200 + b"}", 400),
        "objects nested 200 deep": (b'{"title":' * 200 + b"1" + b"}" * 200, 400),
        "nested 30,000 deep": (b"[" * 30_000 + b"]" * 30_000, 400),
        "opened 60,000 times": (b"[" * 60_000, 400),
        "nested 100,000 deep": (b'{"title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 413),
        "last of equal members is no title": (b'{"title": "t", "title": 1}', 400),
    }.values(),
    ids=lambda value: ascii(value)[:40] if isinstance(value, bytes) else str(value),
)
def test_a_body_that_is_no_task_is_refused(ada: User, content: bytes, status: int) -> None:
    response = ada.request("POST", "/tasks", content=content, headers=JSON)
    assert is_problem(response)
    assert response.status_code == status
    assert ada.titles() == []


@pytest.mark.parametrize("depth", [250, 254, 255, 300, 1000, 1023, 1024, 1025])
@pytest.mark.parametrize("before", [b'{"title": "t", "z": ', b'{"title": "t", "tags": ', b'{"title": ', b""])
def test_a_body_is_refused_however_deeply_it_is_nested(ada: User, before: bytes, depth: int) -> None:
    content = before + b"[" * depth + b"]" * depth + (b"}" if before else b"")
    response = ada.request("POST", "/tasks", content=content, headers=JSON)
    assert is_problem(response)
    assert response.status_code == 400
    assert response.json()["errors"]


def test_of_equal_members_the_last_counts(ada: User) -> None:
    response = ada.request("POST", "/tasks", content=b'{"title": 1, "title": "first", "title": "last"}', headers=JSON)
    assert (response.status_code, response.json()["title"]) == (201, "last")


def test_escapes_and_bytes_of_the_same_text_are_the_same(ada: User) -> None:
    response = ada.request("POST", "/tasks", content=b'{"\\u0074itle": "\\ud83c\\udf89"}', headers=JSON)
    assert (response.status_code, response.json()["title"]) == (201, "🎉")


@pytest.mark.parametrize(
    "query",
    [
        "search=%00",
        "search=a%00b",
        "tags=%00",
        "cursor=%00",
        "due_before=%00",
        "%00=1",
        "search=%FF",
        "search=%C0%80",
        "search=%ED%A0%80",
        "tags=%FF",
        "%FF=1",
        "limit=%FF",
        "=",
        "=x",
        "%",
        "search=a;limit=1&x",
        "limit=" + "9" * 20_000,
        "x" * 20_000 + "=1",
        "&".join(f"p{number}={number}" for number in range(1000)),
        "&".join(["tags=a"] * 2000),
        "&".join(["limit=1"] * 2000),
    ],
    ids=lambda query: query[:24],
)
def test_a_query_that_cannot_be_meant_is_refused(ada: User, query: str) -> None:
    response = send(ada, "GET", f"/api/{ada.id}/tasks?{query}")
    assert is_problem(response)
    assert response.status_code == 400
    assert response.json()["errors"]


def test_percent_signs_that_encode_nothing_are_ordinary_characters(ada: User) -> None:
    ada.create("100%")
    for query in ("search=100%", "search=%25", "search=%"):
        response = send(ada, "GET", f"/api/{ada.id}/tasks?{query}")
        assert [task["title"] for task in response.json()["tasks"]] == ["100%"]


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "%", "_", "\\", "$1", "%s", "%(x)s", ":x", "{}", "\u202e", "\ufffe", "\r\n"]
)
def test_text_is_only_text(ada: User, text: str) -> None:
    ada.create("another")
    ada.create(f"a{text}b", tags=[f"a{text}b"])
    assert ada.titles(search=text) == [f"a{text}b"]
    assert ada.titles(tags=f"a{text}b") == [f"a{text}b"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/{ada}%2Fx/tasks", 404),
        ("/api/%2F/tasks", 404),
        ("/api//tasks", 404),
        ("//api/{ada}/tasks", 404),
        ("/api/{ada}//tasks", 404),
        ("/api/{ada}/tasks//", 404),
        ("/api/{ada}/./tasks", 404),
        ("/api/x/../{ada}/tasks", 404),
        ("/api/{ada}/tasks/..", 400),
        ("/api/{ada}/tasks/%2e%2e", 400),
        ("/api/{ada}/tasks/%2e%2e%2f", 404),
        ("/api/{ada}/tasks;x=1", 404),
        ("/api/{ada}/TASKS", 404),
        ("/API/{ada}/tasks", 404),
        ("/api/{ada}/tasks%00", 404),
        ("/api/{ada}/tasks%20", 404),
        ("/api/{ada}/tasks/%00", 400),
        ("/api/{ada}/tasks/%FF", 400),
        ("/api/{ada}/tasks/%", 400),
        ("/api/%00/tasks", 403),
        ("/api/{ada}%00/tasks", 403),
        ("/api/{ada}%0A/tasks", 404),
        ("/health%0A", 404),
        ("/openapi.json%0A", 404),
        ("/api/auth/verify%0A", 404),
        ("/api/%FF/tasks", 403),
        ("/api/../tasks", 403),
        ("/api/{user_id}/tasks", 403),
        ("/../../etc/passwd", 404),
        ("/..%2f..%2fetc%2fpasswd", 404),
        ("/openapi.yaml/../handlers/app.py", 404),
        ("/.env", 404),
        ("/" * 5000, 404),
        ("/" + "x" * 50_000, 404),
        ("/api/" + "x" * 50_000 + "/tasks", 403),
        ("/api/{ada}/tasks/" + "x" * 50_000, 400),
    ],
    ids=lambda value: str(value)[:32],
)
def test_a_path_that_tricks_leads_nowhere(ada: User, path: str, status: int) -> None:
    response = send(ada, "GET", path.replace("{ada}", ada.id))
    assert is_problem(response)
    assert response.status_code == status


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health\xff HTTP/1.1",
        b"GET /health?\xff HTTP/1.1\r\nX: a\x00b",
        b"GET /health HTTP/1.1\r\nX-Request-ID: a\x00b",
        b"GET /health HTTP/1.1\r\nno colon",
        b"GET /health HTTP/9.9",
        b"POST /api/a/tasks HTTP/1.1\r\nContent-Length: x",
        b"POST /api/a/tasks HTTP/1.1\r\nContent-Length: -1",
        b"POST /api/a/tasks HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST /api/a/tasks HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"BREW /health HTTP/1.1",
        b"nonsense",
    ],
    ids=ascii,
)
def test_what_is_no_http_request_is_refused_and_the_connection_closed(server: str, head: bytes) -> None:
    answer = send_raw(server, head + b"\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in answer
    assert b"x-request-id: " in answer


@pytest.mark.parametrize(
    "value", [b"\xff", b"\xc3\xa4", b"\x80" * 100, b'"' + b"\xff" * 10, b"x" * 20_000], ids=lambda v: ascii(v)[:12]
)
@pytest.mark.parametrize("name", ["If-None-Match", "Authorization", "Content-Type", "Content-Encoding"])
def test_headers_of_any_bytes_break_nothing(ada: User, name: str, value: bytes) -> None:
    response = ada.request("POST" if name.startswith("C") else "GET", "/tasks", content=b"{}", headers={name: value})
    assert is_problem(response)


def test_a_host_of_the_clients_choice_changes_nothing(ada: User) -> None:
    ordinary = ada.request("POST", "/tasks", json={"title": "t"})
    chosen = ada.request("POST", "/tasks", json={"title": "t"}, headers={"Host": "evil.example.com"})
    assert chosen.status_code == ordinary.status_code == 201
    assert chosen.headers["Location"].startswith(f"/api/{ada.id}/tasks/")


def test_a_body_where_none_is_expected_is_ignored(ada: User) -> None:
    for content in (b"\xff", b"[" * 1000):
        assert ada.request("GET", "/tasks", content=content, headers=JSON).status_code == 200
        assert ada.request("DELETE", f"/tasks/{uuid4()}", content=content, headers=JSON).status_code == 404


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


def head_of(ada: User, line: bytes, *fields: bytes) -> bytes:
    """Return a request's head, with the user's token."""
    authorization = b"Authorization: " + ada.http.headers["Authorization"].encode()
    return b"\r\n".join([line, b"Host: x", authorization, *fields, b"", b""])


@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize("upgrade", [UPGRADE, b"Connection: Upgrade\r\nUpgrade: websocket\r\n"])
def test_an_upgrade_is_ignored_and_its_body_is_taken_for_no_request(ada: User, upgrade: bytes, segments: int) -> None:
    content = b'{"title": "GET /smuggled HTTP/1.1"}'
    line = f"POST /api/{ada.id}/tasks HTTP/1.1".encode()
    length = b"Content-Length: %d" % len(content)
    head = head_of(ada, line, upgrade.rstrip(), b"Content-Type: application/json", length)
    after = head_of(ada, f"GET /api/{ada.id}/tags HTTP/1.1".encode(), b"Connection: close")
    parts = [head + content + after] if segments == 1 else [head, content + after]
    answer = send_raw(str(ada.http.base_url), *parts)
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"201", b"200"]
    assert ada.titles() == ["GET /smuggled HTTP/1.1"]


def test_many_upgrades_at_once_are_all_answered(server: str) -> None:
    one = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n" + UPGRADE + b"\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert send_raw(server, one * 600 + last).count(b"HTTP/1.1 ") == 601


@pytest.mark.parametrize("garbage", [b"GARBAGE\r\n\r\n", b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_what_cannot_be_parsed_is_refused_after_the_answers_to_what_came_before(ada: User, garbage: bytes) -> None:
    content = b'{"title": "kept"}'
    length = b"Content-Length: %d" % len(content)
    head = head_of(ada, f"POST /api/{ada.id}/tasks HTTP/1.1".encode(), b"Content-Type: application/json", length)
    answer = send_raw(str(ada.http.base_url), (head + content) * 2 + garbage)
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"201", b"201", b"400"]
    assert ada.titles() == ["kept", "kept"]


def test_a_body_that_cannot_be_parsed_is_refused_at_once(ada: User) -> None:
    head = head_of(
        ada,
        f"POST /api/{ada.id}/tasks HTTP/1.1".encode(),
        b"Content-Type: application/json",
        b"Transfer-Encoding: chunked",
    )
    assert send_raw(str(ada.http.base_url), head + b"nonsense\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_tunnel_is_refused(server: str) -> None:
    assert b"400 Bad Request" in send_raw(server, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")


@pytest.mark.parametrize("field", [b"X-A: ", b"X-" + b"A" * 20_000 + b": b\r\n"])
def test_the_head_of_a_request_has_an_end(server: str, field: bytes) -> None:
    segment = field + b"a" * 10_000
    answer = send_raw(server, b"GET /health HTTP/1.1\r\n", *[segment] * (1 + 65_536 // len(segment)))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"must have at most 65,536 bytes" in answer


def test_blanks_after_a_value_are_not_part_of_it(ada: User) -> None:
    task = ada.create()
    line = f"DELETE /api/{ada.id}/tasks/{task['id']} HTTP/1.1".encode()
    fields = (b'If-Match: "1" \t', b"X-Request-ID: abc  ", b"Connection: close")
    answer = send_raw(str(ada.http.base_url), head_of(ada, line, *fields))
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"x-request-id: abc\r\n" in answer
