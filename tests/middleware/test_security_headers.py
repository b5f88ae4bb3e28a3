"""Security headers are on every response, whichever part of the server sends it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.client import User
from tests.support.server import send_raw, serve

REQUESTS = [
    ("GET", "/health"),
    ("GET", "/api/{ada}/tasks"),
    ("POST", "/api/grace/tasks"),
    ("GET", "/nothing/here"),
    ("PUT", "/health"),
    ("OPTIONS", "/health"),
    ("GET", "/openapi.json"),
    ("GET", "/health?unknown=1"),
]


@pytest.fixture(scope="module")
def production(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a server that runs with `ENVIRONMENT=production`."""
    settings = {"DATABASE_URL": database, "ENVIRONMENT": "production", "HOST": "127.0.0.1"}
    with serve(tmp_path_factory.mktemp("production"), **settings) as url:
        yield url


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_every_response_has_the_security_headers(ada: User, method: str, path: str) -> None:
    headers = ada.http.request(method, path.format(ada=ada.id)).headers
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_list("Referrer-Policy") == ["no-referrer"]
    assert headers.get_list("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]
    assert "Server" not in headers


def test_a_rejected_preflight_has_the_security_headers(server: str) -> None:
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    response = httpx.options(f"{server}/health", headers=preflight)
    assert (response.status_code, response.headers["X-Content-Type-Options"]) == (400, "nosniff")


def test_the_response_to_malformed_http_has_the_security_headers(server: str) -> None:
    answer = send_raw(server, b"NONSENSE\r\n\r\n").lower()
    assert b"\r\nx-content-type-options: nosniff\r\n" in answer
    assert b"\r\ncontent-security-policy: default-src 'none'; frame-ancestors 'none'\r\n" in answer
    assert b"\r\nserver:" not in answer


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/nothing/here"])
def test_production_sends_strict_transport_security(production: str, path: str) -> None:
    assert httpx.get(production + path).headers.get_list("Strict-Transport-Security") == ["max-age=31536000"]


def test_production_requires_https_in_the_response_to_malformed_http_too(production: str) -> None:
    response = send_raw(production, b"NONSENSE\r\n\r\n").lower()
    assert response.count(b"\r\nstrict-transport-security: max-age=31536000\r\n") == 1


def test_development_does_not_send_strict_transport_security(server: str) -> None:
    assert "Strict-Transport-Security" not in httpx.get(f"{server}/health").headers
