"""CORS: what a browser allows pages of the frontend, and pages of other origins, to do."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.client import User

FRONTEND = "http://localhost:3000"
TASK = "/api/ada/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"


def words(header: str) -> set[str]:
    """Return the lower-cased members of a comma-separated header."""
    return {word.strip().lower() for word in header.split(",")}


@pytest.fixture(scope="module")
def nobody(server: str) -> Iterator[httpx.Client]:
    """Yield a client without a token."""
    with httpx.Client(base_url=server) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/health", ["GET", "HEAD"]),
        ("/openapi.json", ["GET", "HEAD"]),
        ("/api/auth/verify", ["POST"]),
        ("/api/ada/tasks", ["GET", "HEAD", "POST", "PATCH", "DELETE"]),
        (TASK, ["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        ("/api/ada/tags", ["GET", "HEAD", "PATCH", "DELETE"]),
        ("/api/ada/trash/restore", ["POST"]),
    ],
)
def test_the_frontend_may_use_every_method_and_header_of_the_contract(
    nobody: httpx.Client, path: str, methods: list[str]
) -> None:
    headers = "authorization,content-type,idempotency-key,if-match,if-none-match,x-request-id"
    for method in methods:
        preflight = {
            "Origin": FRONTEND,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": headers,
        }
        response = nobody.options(path, headers=preflight)
        assert response.is_success
        assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
        assert method.lower() in words(response.headers["Access-Control-Allow-Methods"])
        assert words(headers) <= words(response.headers["Access-Control-Allow-Headers"])
        assert "Origin" in response.headers["Vary"]
        assert response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health", 200),
        ("/openapi.json", 200),
        ("/api/{ada}/tasks", 200),
        ("/api/{ada}/tasks?limit=0", 400),
        ("/api/nobody/tasks", 403),
        ("/nowhere", 404),
        ("/api/auth/verify", 405),
    ],
)
def test_the_frontend_may_read_every_response_and_its_headers(ada: User, path: str, status: int) -> None:
    response = ada.http.get(path.replace("{ada}", ada.id), headers={"Origin": FRONTEND})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    exposed = words(response.headers["Access-Control-Expose-Headers"])
    own = {"allow", "etag", "idempotency-replayed", "location", "retry-after", "sync-token", "www-authenticate"}
    own |= {"x-accel-buffering", "x-request-id"}
    assert exposed == own


def test_the_frontend_may_read_a_401_and_its_www_authenticate_header(nobody: httpx.Client) -> None:
    response = nobody.get("/api/ada/tasks", headers={"Origin": FRONTEND})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert "www-authenticate" in words(response.headers["Access-Control-Expose-Headers"])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "https://localhost:3000",
        "http://localhost:3001",
        "http://localhost:3000.evil.com",
        "null",
    ],
)
def test_other_origins_get_no_access(ada: User, origin: str) -> None:
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for response in (
        ada.request("OPTIONS", "/tasks", headers=preflight),
        ada.get("/tasks", headers={"Origin": origin}),
        ada.get("/tasks?limit=0", headers={"Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "header", ["baggage", "sentry-trace", "traceparent", "x-requested-with", "cache-control", "x-of-nobody", "x-a, X-B"]
)
def test_a_page_may_send_any_header(nobody: httpx.Client, header: str) -> None:
    names = f"authorization,{header}"
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": names}
    response = nobody.options("/api/ada/tasks", headers={"Origin": FRONTEND, **preflight})
    assert response.is_success
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert words(names) <= words(response.headers["Access-Control-Allow-Headers"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "QUERY", "patch"])
def test_a_preflight_for_any_method_passes_so_that_the_page_can_read_the_405(nobody: httpx.Client, method: str) -> None:
    preflight = {"Origin": FRONTEND, "Access-Control-Request-Method": method}
    response = nobody.options("/api/ada/tasks", headers=preflight)
    assert response.is_success
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert method in response.headers["Access-Control-Allow-Methods"].split(", ")


def test_the_page_can_read_which_methods_a_path_has(nobody: httpx.Client) -> None:
    response = nobody.put("/api/ada/tasks", headers={"Origin": FRONTEND})
    assert (response.status_code, response.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS, PATCH, POST")
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert "allow" in words(response.headers["Access-Control-Expose-Headers"])


def test_a_preflight_may_list_empty_names_and_names_that_are_not_ascii(nobody: httpx.Client) -> None:
    asked = {b"Access-Control-Request-Method": b"\xff", b"Access-Control-Request-Headers": b"X-\xe9,, b"}
    response = nobody.options("/api/ada/tasks", headers={b"Origin": FRONTEND.encode(), **asked})
    assert response.is_success
    names = words(response.headers["Access-Control-Allow-Headers"])
    assert {"x-é", "b"} <= names
    assert "" not in names


def test_a_rejected_preflight_reports_every_reason(nobody: httpx.Client) -> None:
    wrong = {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "PUT"}
    response = nobody.options("/api/ada/tasks", headers=wrong | {"Access-Control-Request-Private-Network": "true"})
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/problem+json")
    assert response.json()["instance"] == f"urn:request:{response.headers['X-Request-ID']}"
    names = [error["name"] for error in response.json()["errors"]]
    assert names == ["Origin", "Access-Control-Request-Private-Network"]


def test_a_rejected_preflight_reports_only_what_is_wrong(nobody: httpx.Client) -> None:
    preflights: dict[str, dict[str, str]] = {
        "Origin": {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "GET"},
        "Access-Control-Request-Private-Network": {
            "Origin": FRONTEND,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Private-Network": "true",
        },
    }
    for name, preflight in preflights.items():
        response = nobody.options("/api/ada/tasks", headers=preflight)
        assert response.status_code == 400
        assert [error["name"] for error in response.json()["errors"]] == [name]


def test_options_without_preflight_headers_lists_the_methods_of_the_path(nobody: httpx.Client) -> None:
    response = nobody.options("/api/ada/tasks", headers={"Origin": FRONTEND})
    assert (response.status_code, response.headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST")
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
