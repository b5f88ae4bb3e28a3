"""The methods that each path supports, and the responses to all others."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.client import User

TASK = "/api/ada/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
TRASHED = "/api/ada/trash/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
ALLOW = {
    "/": "GET, HEAD, OPTIONS",
    "/docs": "GET, HEAD, OPTIONS",
    "/redoc": "GET, HEAD, OPTIONS",
    "/coming-from-another-backend": "GET, HEAD, OPTIONS",
    "/sync": "GET, HEAD, OPTIONS",
    "/health": "GET, HEAD, OPTIONS",
    "/health/live": "GET, HEAD, OPTIONS",
    "/health/ready": "GET, HEAD, OPTIONS",
    "/openapi.json": "GET, HEAD, OPTIONS",
    "/openapi.yaml": "GET, HEAD, OPTIONS",
    "/api/auth/verify": "OPTIONS, POST",
    "/api/ada/batch": "OPTIONS, POST",
    "/api/ada/tags": "DELETE, GET, HEAD, OPTIONS, PATCH",
    "/api/ada/tasks": "DELETE, GET, HEAD, OPTIONS, PATCH, POST",
    TASK: "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
    f"{TASK}/move": "OPTIONS, POST",
    "/api/ada/trash": "DELETE, GET, HEAD, OPTIONS",
    # Not a `{task_id}`: a path without a template wins (OpenAPI 3.0.3, section 4.7.8.1).
    "/api/ada/trash/restore": "OPTIONS, POST",
    TRASHED: "DELETE, OPTIONS",
    f"{TRASHED}/restore": "OPTIONS, POST",
}
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT", "TRACE", "PROPFIND")


@pytest.fixture(scope="module")
def nobody(server: str) -> Iterator[httpx.Client]:
    """Yield a client without a token."""
    with httpx.Client(base_url=server) as client:
        yield client


@pytest.mark.parametrize(("path", "allow"), ALLOW.items())
def test_options_lists_the_methods_of_a_path_and_needs_no_token(nobody: httpx.Client, path: str, allow: str) -> None:
    response = nobody.options(path)
    assert (response.status_code, response.headers["Allow"], response.content) == (204, allow, b"")


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path in ALLOW for method in METHODS if method not in ALLOW[path].split(", ")],
)
def test_an_unsupported_method_returns_405_with_the_supported_ones(
    nobody: httpx.Client, path: str, method: str
) -> None:
    response = nobody.request(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, ALLOW[path])
    assert response.headers["Content-Type"] == "application/problem+json"
    if method != "HEAD":
        assert response.json() == {
            "type": "urn:problem-type:todo-api:method-not-allowed",
            "title": "Method Not Allowed",
            "status": 405,
            "detail": f"This path supports {ALLOW[path]}.",
            "instance": f"urn:request:{response.headers['X-Request-ID']}",
        }


def test_head_returns_the_status_and_headers_of_get_without_the_body(ada: User) -> None:
    task = ada.create("Ä task")
    own = f"/api/{ada.id}"
    for path, status in {
        "/": 307,
        "/docs": 200,
        "/redoc": 200,
        "/coming-from-another-backend": 200,
        "/sync": 200,
        "/health": 200,
        "/openapi.json": 200,
        "/openapi.yaml": 200,
        f"{own}/tasks": 200,
        f"{own}/tasks?limit=1": 200,
        f"{own}/tasks/{task['id']}": 200,
        f"{own}/tags": 200,
        f"{own}/trash": 200,
        f"{own}/tasks?limit=0": 400,
        "/api/somebody/tasks": 403,
        "/nowhere": 404,
    }.items():
        headers = {"X-Request-ID": "the-same"}
        got, head = ada.http.get(path, headers=headers), ada.http.head(path, headers=headers)
        assert (head.status_code, head.content) == (status, b"")
        assert int(head.headers["Content-Length"]) == len(got.content)
        assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


def test_head_needs_a_token_where_get_does(nobody: httpx.Client) -> None:
    assert nobody.head("/api/ada/tasks").status_code == 401


@pytest.mark.parametrize("path", [path for path in ALLOW if path != "/"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_trailing_slash_returns_404_and_never_redirects(ada: User, path: str, method: str) -> None:
    response = ada.http.request(method, f"{path}/")
    assert response.status_code == 404
    assert "Location" not in response.headers


@pytest.mark.parametrize(
    "path", ["/api", "/api/ada", "/api/auth", "/assets", "/assets/docs.js", "/ui", "/swagger.json", "/api/openapi.json"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_unknown_path_returns_404(nobody: httpx.Client, path: str, method: str) -> None:
    response = nobody.request(method, path)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "urn:problem-type:todo-api:not-found"
