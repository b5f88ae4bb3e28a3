"""Input that the contract does not allow: the response is a 400 that lists every error, a 413 or a 415."""

import gzip
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.client import User
from tests.support.hostile.case import Case
from tests.support.hostile.connection import Connection

JSON = {"Content-Type": "application/json"}
LIMIT = 65_536
A_DAY = "must be a valid date in the format YYYY-MM-DD"
A_DAY_ALONE = "must be a date without a time: send 2026-01-01, unless it is another day in the user's time zone"
A_TIME = "must be a time of day from 00:00 to 23:59 in the format HH:MM, such as 09:00"
A_ZONE = "must be the name of a time zone in the IANA database, such as Europe/Berlin"
A_POSITION = 'must be 1 to 255 letters, digits, "-" or "_", the last of which is not "-"'


def faults(response: httpx.Response) -> set[tuple[str, str]]:
    """Return the places of the errors in a 400: `in`, with the name or the pointer."""
    assert response.status_code == 400, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    return {(error["in"], error.get("name", error.get("pointer"))) for error in response.json()["errors"]}


def test_rejected_input_gets_a_problem_document(ada: User) -> None:
    response = ada.get("/tasks", params={"limit": "101"})
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "urn:problem-type:todo-api:invalid-input",
        "title": "Bad Request",
        "status": 400,
        "detail": "limit must be at most 100",
        "instance": f"urn:request:{response.headers['X-Request-ID']}",
        "errors": [{"in": "query", "name": "limit", "detail": "must be at most 100"}],
    }


def test_all_errors_in_path_query_header_and_body_are_reported_at_once(ada: User) -> None:
    body = {"title": " ", "completed": "yes", "priority": "Urgent", "tags": ["ok", " x", 1], "nope": 1, "a/b~": 1}
    response = ada.patch("not-a-uuid?nope=1&nope=2&x=", body, headers={"If-Match": "42"})
    assert faults(response) == {
        ("path", "task_id"),
        ("query", "nope"),
        ("query", "x"),
        ("header", "If-Match"),
        ("body", "/title"),
        ("body", "/completed"),
        ("body", "/priority"),
        ("body", "/tags/1"),
        ("body", "/tags/2"),
        ("body", "/nope"),
        ("body", "/a~1b~0"),
    }
    assert response.json()["detail"] == "nope is not a recognised name (and 11 more errors)"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/auth/verify"),
        ("GET", "/api/{ada}/tasks"),
        ("POST", "/api/{ada}/tasks"),
        ("PATCH", "/api/{ada}/tasks?search=x"),
        ("DELETE", "/api/{ada}/tasks?search=x"),
        ("GET", "/api/{ada}/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("PUT", "/api/{ada}/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("PATCH", "/api/{ada}/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("DELETE", "/api/{ada}/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("GET", "/api/{ada}/lists"),
        ("GET", "/api/{ada}/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("DELETE", "/api/{ada}/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("POST", "/api/{ada}/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/restore"),
        ("GET", "/api/{ada}/trash"),
        ("DELETE", "/api/{ada}/trash"),
        ("DELETE", "/api/{ada}/trash/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("POST", "/api/{ada}/trash/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/restore"),
        ("GET", "/api/{ada}/preferences"),
        ("GET", "/api/{ada}/tags"),
        ("DELETE", "/api/{ada}/tags?name=home"),
        ("GET", "/health"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
    ],
)
def test_every_operation_rejects_an_unknown_query_parameter(ada: User, method: str, path: str) -> None:
    body = {"title": "t"} if method in ("POST", "PUT", "PATCH") else None
    path, _, query = path.replace("{ada}", ada.id).partition("?")
    assert faults(ada.http.request(method, f"{path}?{query}&nope=1", json=body)) == {("query", "nope")}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/batch", {"operations": [{"op": "delete", "id": str(uuid4())}]}),
        ("POST", "/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/move", {"at": "first"}),
        ("POST", "/trash/restore", {"deletion_id": str(uuid4())}),
        ("PATCH", "/preferences", {"week_start": "sunday"}),
        ("PATCH", "/tags", {"name": "house"}),
        ("POST", "/lists", {"name": "house"}),
        ("PUT", "/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41", {"name": "house"}),
        ("PATCH", "/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41", {"name": "house"}),
        ("POST", "/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/move", {"at": "first"}),
    ],
)
def test_an_operation_reports_unknown_names_in_query_and_body_together(
    ada: User, method: str, path: str, body: dict[str, Any]
) -> None:
    response = ada.request(method, path, params={"nope": 1}, json=body | {"more": 1})
    found = faults(response) - {("query", "name")}
    assert found == {("query", "nope"), ("body", "/more")}


def test_every_error_in_a_batch_is_reported_with_its_place(ada: User) -> None:
    task_id = str(uuid4())
    operations = [
        {"op": "create"},
        {"op": "create", "id": "x", "task": {"title": "t", "nope": 1}},
        {"op": "update", "id": task_id, "changes": {"title": ""}, "base": {"id": task_id}},
        {"op": "rename", "id": task_id},
        {"id": task_id},
        {"op": ["delete"], "id": task_id},
        1,
        None,
        {"op": "delete", "if_revision": 0, "base": {}},
        {"op": "replace", "id": task_id, "task": {"title": "t", "user_id": "grace", "tags": ["a", ""]}},
        {"op": "restore", "id": task_id, "if_revision": 1},
    ]
    response = ada.request("POST", "/batch", json={"mode": "all", "operations": operations})
    assert faults(response) == {
        ("body", "/mode"),
        ("body", "/operations/0/task"),
        ("body", "/operations/1/id"),
        ("body", "/operations/1/task/nope"),
        ("body", "/operations/2/changes/title"),
        ("body", "/operations/2/base/id"),
        ("body", "/operations/2/base/title"),
        ("body", "/operations/3/op"),
        ("body", "/operations/4/op"),
        ("body", "/operations/5/op"),
        ("body", "/operations/6"),
        ("body", "/operations/7"),
        ("body", "/operations/8/id"),
        ("body", "/operations/8/if_revision"),
        ("body", "/operations/8/base"),
        ("body", "/operations/9/task/user_id"),
        ("body", "/operations/9/task/tags/1"),
        ("body", "/operations/10/if_revision"),
        # They have the id of an earlier one.
        *(("body", f"/operations/{number}/id") for number in (3, 4, 5, 9, 10)),
    }


@pytest.mark.parametrize(("number", "words"), [(0, "must not be empty"), (101, "must have at most 100 items")])
def test_a_batch_has_1_to_100_operations(ada: User, number: int, words: str) -> None:
    operations = [{"op": "delete", "id": str(uuid4())} for _ in range(number)]
    response = ada.request("POST", "/batch", json={"operations": operations})
    assert response.json()["errors"] == [{"in": "body", "pointer": "/operations", "detail": words}]


KEYED = [
    ("POST", "/tasks", {"title": "t"}),
    ("PATCH", "/tasks?completed=true", {"completed": True}),
    ("DELETE", "/tasks?completed=true", None),
    ("POST", "/batch", {"operations": [{"op": "delete", "id": str(uuid4())}]}),
    ("PATCH", "/tags?name=home", {"name": "house"}),
    ("POST", "/lists", {"name": "house"}),
    ("DELETE", "/tags?name=home", None),
]


@pytest.mark.parametrize(
    "key", ["", '""', '"a', 'a"', "a b", "a/b", "a,b", '"a", "b"', "é".encode(), "x" * 256, '"' + "x" * 256 + '"']
)
@pytest.mark.parametrize(("method", "path", "body"), KEYED)
def test_a_malformed_idempotency_key_is_rejected(
    ada: User, method: str, path: str, body: Any, key: str | bytes
) -> None:
    response = ada.request(method, path, json=body, headers={"Idempotency-Key": key})
    detail = 'must be 1 to 255 letters, digits or ".", "_", ":", "~", "-", with or without double quotes'
    assert response.status_code == 400
    assert response.json()["errors"] == [{"in": "header", "name": "Idempotency-Key", "detail": detail}]


def test_every_error_in_a_query_is_reported(ada: User) -> None:
    query = "limit=0&offset=-1&completed=1&priority=High&priority=Urgent&tags=%20a&tag_match=some&due_before=soon"
    query += "&due_after=2026-02-30&sort_by=id&sort_direction=up&cursor=%2B&search=%00&Search=x"
    names = "limit offset completed priority tags tag_match due_before due_after sort_by sort_direction cursor"
    names += " search Search"
    assert faults(ada.get(f"/tasks?{query}")) == {("query", name) for name in names.split()}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tasks", {f"m{number}": 1 for number in range(2000)}),
        ("/batch", {"mode": "atomic", "operations": [{"op": "create", "task": {"tags": [""] * 20}}] * 100}),
    ],
    ids=["unknown members", "many operations"],
)
def test_at_most_100_errors_are_reported(ada: User, path: str, body: Any) -> None:
    response = ada.request("POST", path, json=body)
    assert len(response.json()["errors"]) == 100
    assert response.json()["detail"].endswith(" (and at least 100 more errors)")


@pytest.mark.parametrize("pair", ["x", "x=%FF", "limit=1", "limit=%FF", "completed=", "id=1", "tags=a"])
def test_a_query_of_more_pairs_than_can_be_valid_is_rejected(ada: User, pair: str) -> None:
    errors = ada.get(f"/tasks?{f'{pair}&' * 5000}").json()["errors"]
    assert 1 <= len(errors) <= 100


def test_of_a_list_that_is_too_long_one_item_more_than_allowed_is_checked(ada: User) -> None:
    response = ada.request("POST", "/tasks", json={"title": "t", "tags": [""] * 1500})
    assert faults(response) == {("body", "/tags"), *(("body", f"/tags/{number}") for number in range(21))}


@pytest.mark.parametrize(
    ("query", "content", "detail"),
    [
        ("", '{"title": "t", "priority": "Urgent"}', "priority must be one of High, Medium, Low"),
        ("", '{"title": "t", "priority": 1, "n": 1}', "priority must be one of High, Medium, Low (and 1 more error)"),
        ("", '{"title": "t", "tags": ["a", ""]}', "tags value 2 must not be empty"),
        ("", '{"title": "t", "a/b~": 1}', "a/b~ is not a recognised name"),
        ("", '{"title": "t", "7": 1}', "7 is not a recognised name"),
        ("", '{"title": "t", "": 1}', '"" is not a recognised name'),
        ("", "[]", "The body must be an object"),
        ("", "", "The body is required"),
        ("?page=2", '{"title": ""}', "page is not a recognised name (and 1 more error)"),
        ("?=2", '{"title": "t"}', '"" is not a recognised name'),
    ],
)
def test_the_detail_is_a_sentence_about_the_first_error(ada: User, query: str, content: str, detail: str) -> None:
    response = ada.request("POST", f"/tasks{query}", content=content, headers=JSON)
    assert response.status_code == 400
    assert response.json()["detail"] == detail


def test_the_detail_counts_the_values_of_a_repeated_parameter_from_one(ada: User) -> None:
    response = ada.get("/tasks?priority=High&priority=x")
    assert response.json()["detail"] == "priority value 2 must be one of High, Medium, Low"


def test_the_detail_about_a_head_that_cannot_be_parsed_names_the_head(server: str) -> None:
    with Connection(server) as connection:
        (response,), _ = connection.exchange(Case("no HTTP", b"hello\r\n\r\n", (400,)))
    assert response.json()["detail"] == "The head of the request is not valid HTTP"


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({}, "/title", "is required"),
        ({"title": 1}, "/title", "must be text"),
        ({"title": "x" * 201}, "/title", "must have at most 200 characters"),
        ({"title": ""}, "/title", "must not be empty"),
        ({"title": " "}, "/title", "must be text that is not blank, without U+0000"),
        ({"title": "t", "description": 1}, "/description", "must be text or null"),
        ({"title": "t", "description": "x" * 10_001}, "/description", "must have at most 10,000 characters"),
        ({"title": None}, "/title", "must be text, not null"),
        ({"title": "t", "completed": None}, "/completed", "must be true or false, not null"),
        ({"title": "t", "tags": None}, "/tags", "must be a list, not null"),
        ({"title": "t", "tags": [None]}, "/tags/0", "must be text, not null"),
        ({"title": "t", "priority": "Urgent"}, "/priority", "must be one of High, Medium, Low"),
        ({"title": "t", "priority": None}, "/priority", "must be one of High, Medium, Low, not null"),
        ({"title": "t", "due_date": "2026-02-30"}, "/due_date", A_DAY),
        ({"title": "t", "due_date": "2026-01-01T00:00:00Z"}, "/due_date", A_DAY_ALONE),
        ({"title": "t", "due_date": ""}, "/due_date", f"{A_DAY}, or null"),
        ({"title": "t", "due_date": "2026-01-01", "due_time": "9:00"}, "/due_time", A_TIME),
        ({"title": "t", "due_date": "2026-01-01", "time_zone": "Mars/Olympus Mons"}, "/time_zone", A_ZONE),
        ({"title": "t", "due_time": "09:00"}, "/due_time", "needs a due_date"),
        ({"title": "t", "tags": "a"}, "/tags", "must be a list"),
        ({"title": "t", "tags": ["a", "a"]}, "/tags", "must not contain the same item twice"),
        ({"title": "t", "tags": [str(n) for n in range(21)]}, "/tags", "must have at most 20 items"),
        ({"title": "t", "tags": [""]}, "/tags/0", "must not be empty"),
        ({"title": "t", "position": ""}, "/position", "must not be empty"),
        ({"title": "t", "position": "a-"}, "/position", A_POSITION),
        ({"title": "t", "position": "a" * 256}, "/position", "must have at most 255 characters"),
        ({"title": "t", "position": None}, "/position", "must be text, not null"),
        ({"title": "t", "nope": 1}, "/nope", "is not a recognised name"),
        ({"title": "t", "list_id": "x" * 40}, "/list_id", "must be a UUID"),
        ({"title": "t", "list_id": ""}, "/list_id", "must be a UUID, or null"),
        ({"title": "t", "list_id": "inbox"}, "/list_id", "must be a UUID, or null"),
        ({"title": "t", "due_date": "2026-01-01 "}, "/due_date", A_DAY),
        (
            {"title": "t", "due_date": "2026-01-01", "recurrence": {"frequency": "daily", "interval": 1.0}},
            "/recurrence/interval",
            "must be a whole number, without a decimal point or an exponent",
        ),
        ([], "", "must be an object"),
    ],
)
def test_an_error_in_the_body_is_reported_once_in_plain_words(ada: User, body: Any, pointer: str, words: str) -> None:
    response = ada.request("POST", "/tasks", json=body)
    assert response.json()["errors"] == [{"in": "body", "pointer": pointer, "detail": words}]


@pytest.mark.parametrize(
    ("query", "name", "words"),
    [
        ("limit=x", "limit", "must be a whole number"),
        ("limit=0", "limit", "must be at least 1"),
        ("limit=" + "9" * 30, "limit", "must be at most 100"),
        ("completed=1", "completed", "must be true or false"),
        ("sort_by=id", "sort_by", "must be one of created_at, updated_at, due_date, due_at, priority, title, position"),
        ("priority=High&priority=x", "priority", "value 2 must be one of High, Medium, Low"),
        ("due_after=soon", "due_after", A_DAY),
        ("list_id=" + "x" * 40, "list_id", 'value 1 must be a UUID or "inbox"'),
        ("parent_id=" + "x" * 40, "parent_id", 'value 1 must be a UUID or "none"'),
        ("cursor=", "cursor", "must not be empty"),
        ("cursor=" + "x" * 2001, "cursor", "must have at most 2,000 characters"),
        ("cursor=abcd&offset=5", "offset", "cannot be combined with cursor"),
        (
            "cursor=abcd",
            "cursor",
            "is damaged, or was made for other filters, another order, another time zone or another day",
        ),
        ("limit=1&limit=1", "limit", "must not be given more than once"),
        ("search=%FF", "search", "must be percent-encoded UTF-8"),
        ("nope=1", "nope", "is not a recognised name"),
    ],
    ids=lambda value: value[:20],
)
def test_an_error_in_the_query_is_reported_once_in_plain_words(ada: User, query: str, name: str, words: str) -> None:
    assert ada.get(f"/tasks?{query}").json()["errors"] == [{"in": "query", "name": name, "detail": words}]


def test_a_text_that_is_too_long_and_has_a_wrong_character_is_reported_as_two_errors(ada: User) -> None:
    errors = ada.request("POST", "/tasks", json={"title": "\0" * 201}).json()["errors"]
    words = {"must have at most 200 characters", "must be text that is not blank, without U+0000"}
    assert {error["detail"] for error in errors} == words
    assert len(errors) == 2


@pytest.mark.parametrize("token", ["", "1.2", "x" * 70])
def test_a_sync_token_of_any_wrong_form_is_reported_once(ada: User, token: str) -> None:
    errors = ada.get("/changes", params={"sync_token": token}).json()["errors"]
    assert errors == [{"in": "query", "name": "sync_token", "detail": "must be the sync_token of an earlier response"}]


@pytest.mark.parametrize(
    ("method", "path", "members"),
    [
        ("POST", "/tasks", {"title": "x" * 5000}),
        ("POST", "/tasks", {"title": "t", "priority": "x" * 5000}),
        ("POST", "/tasks", {"title": "t", "due_date": "x" * 5000}),
        ("POST", "/tasks", {"title": "t", "tags": ["x" * 5000]}),
        ("POST", "/tasks", {"title": "t", "x" * 5000: 1}),
        ("GET", f"/tasks?limit={'x' * 5000}", None),
        ("GET", f"/tasks?{'x' * 5000}=1", None),
        ("GET", f"/tasks?cursor={'x' * 5000}", None),
        ("GET", f"/tasks/{'x' * 5000}", None),
    ],
)
def test_a_long_value_is_not_echoed(ada: User, method: str, path: str, members: Any) -> None:
    response = ada.request(method, path, json=members) if members else ada.request(method, path)
    assert faults(response)
    assert "x" * 501 not in response.text
    assert "x" * 121 not in response.json()["detail"]
    for error in response.json()["errors"]:
        assert len(error["detail"]) <= 500
        assert len(error.get("name", "")) <= 120
        assert len(error.get("pointer", "")) <= 500


LIMITS: list[tuple[str, Any, bool]] = [
    ("title", "x", True),
    ("title", "x" * 200, True),
    ("title", "x" * 201, False),
    ("title", "🎉" * 200, True),
    ("title", "🎉" * 201, False),
    ("title", "", False),
    ("title", " ", False),
    ("title", "\t\r\n", False),
    ("title", "\u00a0", False),
    ("title", "\u0085", False),
    ("title", "\ufeff", False),
    ("title", "\u200b\u3000\u2003", False),
    ("title", "\x00", False),
    ("title", "a\x00b", False),
    ("title", "\ufeffa", True),
    ("title", None, False),
    ("title", 1, False),
    ("description", None, True),
    ("description", "", True),
    ("description", "x" * 10_000, True),
    ("description", "x" * 10_001, False),
    ("description", "🎉" * 10_000, True),
    ("description", "🎉" * 10_001, False),
    ("description", "a\x00b", False),
    ("description", 1, False),
    ("completed", True, True),
    ("completed", None, False),
    ("completed", 0, False),
    ("completed", "true", False),
    ("priority", "Low", True),
    ("priority", "low", False),
    ("priority", "", False),
    ("priority", None, False),
    ("priority", 1, False),
    ("due_date", None, True),
    ("due_date", "0001-01-01", True),
    ("due_date", "9999-12-31", True),
    ("due_date", "2028-02-29", True),
    ("due_date", "2026-02-29", False),
    ("due_date", "2026-02-30", False),
    ("due_date", "0000-01-01", False),
    ("due_date", "10000-01-01", False),
    ("due_date", "-001-01-01", False),
    ("due_date", "2026-1-1", False),
    ("due_date", "20260101", False),
    ("due_date", "2026-W01-1", False),
    ("due_date", "2026-01-01\n", False),
    ("due_date", "\u0662026-01-01", False),
    ("due_date", "2026-01-01T00:00:00Z", False),
    ("due_date", "", False),
    ("time_zone", None, True),
    ("due_time", None, True),
    ("due_date", 20260101, False),
    ("tags", [], True),
    ("tags", [str(number) for number in range(20)], True),
    ("tags", [str(number) for number in range(21)], False),
    ("tags", ["x" * 50, "🎉" * 50], True),
    ("tags", ["x" * 51], False),
    ("tags", ["🎉" * 51], False),
    ("tags", ["a", "A"], True),
    ("tags", ["a", "b", "a"], False),
    ("tags", ["a b"], True),
    ("tags", [" a"], False),
    ("tags", ["a "], False),
    ("tags", ["a\n"], False),
    ("tags", ["\u00a0a"], False),
    ("tags", ["a\ufeff"], False),
    ("tags", [""], False),
    ("tags", ["a\x00b"], False),
    ("tags", [None], False),
    ("tags", [1], False),
    ("tags", None, False),
    ("tags", "a", False),
    ("tags", {"0": "a"}, False),
    ("position", "0", True),
    ("position", "-a", True),
    ("position", "z" * 255, True),
    ("position", "z" * 256, False),
    ("position", "a-", False),
    ("position", "a b", False),
    ("position", "a\n", False),
    ("position", "\u00e4", False),
    ("position", "\u0661", False),
    ("position", "~", False),
    ("position", "", False),
    ("position", None, False),
    ("position", 1, False),
]


@pytest.mark.parametrize(("member", "value", "taken"), LIMITS, ids=lambda value: ascii(value)[:24])
def test_each_body_member_is_held_to_its_limits(ada: User, member: str, value: Any, taken: bool) -> None:
    made = ada.request("POST", "/tasks", json={"title": "t", member: value})
    patched = ada.patch(str(uuid4()), {member: value})
    if taken:
        assert (made.status_code, patched.status_code) == (201, 404)
        assert made.json()[member] == value
    else:
        for response in (made, patched):
            assert {place.split("/")[1] for _, place in faults(response)} == {member}


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("limit", "1", True),
        ("limit", "100", True),
        ("limit", "0", False),
        ("limit", "101", False),
        ("limit", "-1", False),
        ("limit", "+1", False),
        ("limit", "1_0", False),
        ("limit", "\u0661", False),
        ("limit", " 1", False),
        ("limit", "1 ", False),
        ("limit", "1\n", False),
        ("limit", "1.0", False),
        ("limit", "1e1", False),
        ("limit", "0x10", False),
        ("limit", "", False),
        ("limit", "9" * 30, False),
        ("limit", "9" * 5000, False),
        ("offset", "0", True),
        ("offset", "100000", True),
        ("offset", "100001", False),
        ("offset", "-1", False),
        ("completed", "true", True),
        ("completed", "false", True),
        ("completed", "True", False),
        ("completed", "1", False),
        ("completed", "", False),
        ("search", "", True),
        ("search", "x" * 200, True),
        ("search", "🎉" * 200, True),
        ("search", "x" * 201, False),
        ("priority", "High", True),
        ("priority", "high", False),
        ("priority", "High,Low", False),
        ("tags", "a,b", True),
        ("tags", "x" * 51, False),
        ("tags", "", False),
        ("tag_match", "ALL", False),
        ("due_before", "2026-02-28", True),
        ("due_before", "2026-02-30", False),
        ("due_before", "0000-01-01", False),
        ("due_after", "", False),
        ("sort_by", "user_id", False),
        ("sort_by", "priority; --", False),
        ("sort_direction", "DESC", False),
        ("cursor", "x", False),
        ("cursor", "", False),
        ("cursor", "x" * 2001, False),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_each_query_parameter_is_held_to_its_limits(ada: User, name: str, value: str, taken: bool) -> None:
    response = ada.get("/tasks", params={name: value})
    if taken:
        assert response.status_code == 200, response.text
    else:
        assert faults(response) == {("query", name)}


@pytest.mark.parametrize(
    ("query", "taken"),
    [
        ("limit=1&limit=1", False),
        ("search=a&search=b", False),
        ("offset=0&cursor=x", False),
        ("&".join(f"tags={number}" for number in range(20)), True),
        ("&".join(f"tags={number}" for number in range(21)), False),
        ("priority=High&priority=Low&priority=Medium", True),
        ("priority=High&priority=Low&priority=Medium&priority=High", False),
        ("tags[]=a", False),
        ("limit", False),
        ("&&limit=1&", True),
    ],
)
def test_a_parameter_may_be_repeated_only_as_declared(ada: User, query: str, taken: bool) -> None:
    response = ada.get(f"/tasks?{query}")
    assert response.status_code == (200 if taken else 400), response.text


@pytest.mark.parametrize(
    "task_id", ["1", "x", "019ab0c35b1e7c529f0e3d2a8f6b7c41", "{019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41}"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/tasks/{task_id}"),
        ("PUT", "/tasks/{task_id}"),
        ("PATCH", "/tasks/{task_id}"),
        ("DELETE", "/tasks/{task_id}"),
        ("POST", "/tasks/{task_id}/move"),
        ("POST", "/tasks/{task_id}/skip"),
        ("DELETE", "/trash/{task_id}"),
        ("POST", "/trash/{task_id}/restore"),
    ],
)
def test_a_task_id_that_is_not_a_hyphenated_uuid_is_rejected(ada: User, method: str, path: str, task_id: str) -> None:
    body: dict[str, Any] = {"json": {"title": "t"}} if method in ("PUT", "PATCH") else {}
    body = {"json": {"at": "last"}} if path.endswith("move") else body
    assert faults(ada.request(method, path.format(task_id=task_id), **body)) == {("path", "task_id")}


@pytest.mark.parametrize(
    "value", ["42", "", '"42', '"a" "b"', "W/42", "*, *", '"' + "x" * 4000 + '"'], ids=lambda v: v[:8]
)
def test_a_malformed_entity_tag_is_rejected(ada: User, value: str) -> None:
    assert faults(ada.get("/tasks", headers={"If-None-Match": value})) == {("header", "If-None-Match")}
    assert faults(ada.request("DELETE", f"/tasks/{uuid4()}", headers={"If-Match": value})) == {("header", "If-Match")}


@pytest.mark.parametrize("path", ["/health?x=1", "/api/auth/verify?x=1"])
def test_operations_without_a_user_in_their_path_reject_unknown_parameters(ada: User, path: str) -> None:
    assert faults(ada.http.request("POST" if "verify" in path else "GET", path)) == {("query", "x")}


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 201), (LIMIT + 1, 413)])
@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_a_body_may_have_at_most_64_kib(ada: User, size: int, status: int, chunked: bool) -> None:
    content = b'{"title": "t"}'.ljust(size)

    def chunks() -> Iterator[bytes]:
        for start in range(0, size, 10_000):
            yield content[start : start + 10_000]

    response = ada.request("POST", "/tasks", content=chunks() if chunked else content, headers=JSON)
    assert response.status_code == status
    if status == 413:
        assert response.json()["type"] == "urn:problem-type:todo-api:content-too-large"
        assert ada.titles() == []


def test_a_batch_may_have_at_most_1_mib(ada: User) -> None:
    batch = b'{"operations": []}'
    for size, status in (2**20, 400), (2**20 + 1, 413):
        response = ada.request("POST", "/batch", content=batch.ljust(size), headers=JSON)
        assert response.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 201),
        ({"Content-Type": "Application/JSON; Charset=UTF-8"}, 201),
        ({"Content-Type": 'application/json;charset="utf-8"'}, 201),
        ({"Content-Type": "application/json", "Content-Encoding": "identity"}, 201),
        ({"Content-Type": "application/json", "Content-Encoding": ""}, 201),
        ({"Content-Type": "application/json; profile=x"}, 201),
        ({"Content-Type": "application/json; charset = utf-8 ; v=1;"}, 201),
        ({}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/merge-patch+json"}, 415),
        ({"Content-Type": "application/json, text/plain"}, 415),
        ({"Content-Type": "application/jsonx"}, 415),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json; v=1; charset=latin-1"}, 415),
    ],
    ids=str,
)
def test_a_body_must_be_json_in_utf_8(ada: User, headers: dict[str, str], status: int) -> None:
    response = ada.request("POST", "/tasks", content=b'{"title": "t"}', headers=headers)
    assert response.status_code == status
    if status == 415:
        assert response.json()["type"] == "urn:problem-type:todo-api:unsupported-media-type"
        assert "application/json" in response.json()["detail"]


def test_a_patch_must_be_json_or_a_merge_patch(ada: User) -> None:
    task = ada.create()
    for media_type, status in (("application/merge-patch+json", 200), ("application/json", 200), ("text/json", 415)):
        response = ada.request(
            "PATCH", f"/tasks/{task['id']}", content=b'{"completed": true}', headers={"Content-Type": media_type}
        )
        assert response.status_code == status


@pytest.mark.parametrize("encoding", ["gzip", "br", "x", "identity, gzip"])
def test_a_body_with_a_content_encoding_returns_415(ada: User, encoding: str) -> None:
    content = gzip.compress(b'{"title": "t"}')
    assert (
        ada.request("POST", "/tasks", content=content, headers=JSON | {"Content-Encoding": encoding}).status_code == 415
    )


@pytest.mark.parametrize("headers", [{}, JSON], ids=["no media type", "JSON"])
def test_a_missing_body_is_rejected(ada: User, headers: dict[str, str]) -> None:
    assert faults(ada.request("POST", "/tasks", headers=headers)) == {("body", "")}
    assert faults(ada.request("PATCH", f"/tasks/{uuid4()}", headers=headers)) == {("body", "")}


def test_errors_take_precedence_in_a_fixed_order(server: str, ada: User, grace: User) -> None:
    """The order is 401, 403, 413 and 415, 400, 404."""
    too_large = json.dumps({"title": "x" * 70_000})

    def patch(client: httpx.Client, task_id: str, content: str, media_type: str = "application/json") -> int:
        path = (
            f"{server}/api/{ada.id}/tasks/{task_id}?nope=1"
            if task_id == "x"
            else f"{server}/api/{ada.id}/tasks/{task_id}"
        )
        return client.patch(path, content=content, headers={"Content-Type": media_type}).status_code

    with httpx.Client() as nobody:
        assert patch(nobody, "x", too_large, "text/plain") == 401
    assert patch(grace.http, "x", too_large) == 403
    assert patch(grace.http, "x", "{", "text/plain") == 403
    assert patch(ada.http, "x", too_large) == 413
    assert patch(ada.http, "x", "{", "text/plain") == 415
    assert patch(ada.http, "x", "{") == 400
    assert patch(ada.http, str(uuid4()), '{"title": ""}') == 400
    assert patch(ada.http, str(uuid4()), "{}") == 404
