"""A `*` inside an entry of ALLOWED_ORIGINS: which origins it allows, and which it must not."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from handlers.middleware.origins import MOST_REMEMBERED, HeadersByOrigin
from tests.support.server import Service, start

PATTERNS = "https://*.vercel.app,https://my-app-*-team.a.example:8443,http://localhost:*,https://a.example"


@pytest.fixture(scope="module")
def service(database: str, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service in development with these patterns."""
    assert server, "it has migrated the database"
    with start(tmp_path_factory.mktemp("patterns"), DATABASE_URL=database, ALLOWED_ORIGINS=PATTERNS) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    """Yield a client of this service."""
    with httpx.Client(base_url=service.url) as client:
        yield client


def allowed(client: httpx.Client, origin: str) -> str | None:
    """Return which origin a GET, a preflight and a 401 allow, which must be the same; None if they allow none."""
    headers = {b"Origin": origin.encode()}
    method = {b"Access-Control-Request-Method": b"POST"}
    responses = [
        client.get("/health/live", headers=headers),
        client.get("/api/ada/tasks", headers=headers),
        client.options("/api/ada/tasks", headers=headers | method),
    ]
    assert [response.status_code for response in responses[:2]] == [200, 401]
    found: str | None = responses[0].headers.get("Access-Control-Allow-Origin")
    assert {response.headers.get("Access-Control-Allow-Origin") for response in responses} == {found}
    assert responses[2].is_success == (found is not None)
    return found


@pytest.mark.parametrize(
    "origin",
    [
        "https://my-app.vercel.app",
        "https://my-app-git-main-team.vercel.app",
        "https://xn--bcher-kva.vercel.app",
        f"https://{'a' * 63}.vercel.app",
        "https://my-app-7f3a-team.a.example:8443",
        "https://my-app-a-b-team.a.example:8443",
        "http://localhost:3000",
        "http://localhost:65535",
        "http://localhost",
        "https://a.example",
    ],
)
def test_a_pattern_allows_what_it_matches(client: httpx.Client, origin: str) -> None:
    for _ in range(2):
        assert allowed(client, origin) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "*",
        "null",
        "https://vercel.app",
        "https://.vercel.app",
        "https://*.vercel.app",
        "https://a.b.vercel.app",
        "https://evil.com.vercel.app",
        "https://a.vercel.app.",
        "https://a..vercel.app",
        "https://avercel.app",
        "https://a.vercel.app.evil.com",
        "https://a-vercel.app",
        "https://axvercel.app",
        "https://evil.com#.vercel.app",
        "https://evil.com/.vercel.app",
        "https://evil.com?.vercel.app",
        "https://evil.com\\.vercel.app",
        "https://ada@a.vercel.app",
        "https://ada:password@a.vercel.app",
        "https://evil.com:443#@a.vercel.app",
        "https://a.vercel.app/",
        "https://a.vercel.app:443",
        "https://a.vercel.app:8443",
        "http://a.vercel.app",
        "HTTPS://a.vercel.app",
        "https://a.VERCEL.app",
        "https://a b.vercel.app",
        "https://a%2eb.vercel.app",
        "https://a_b.vercel.app",
        "https://bücher.vercel.app",
        "https://a\uff0ebc.vercel.app",
        f"https://{'a' * 64}.vercel.app",
        f"https://{'a' * 30_000}.vercel.app",
        "https://a.vercel.app https://b.vercel.app",
        "https://a.vercel.app,https://evil.com",
        "https://my-app--team.a.example:8443",
        "https://my-app-x-team.a.example",
        "https://my-app-x-team.a.example:443",
        "https://my-app-x.y-team.a.example:8443",
        "https://my-app-x-teamXaXexample:8443",
        "https://localhost:3000",
        "http://localhost:",
        "http://localhost:3000x",
        "http://localhost:3000.evil.com",
        "http://localhost:ada@evil.com",
        "http://localhost.evil.com",
        "http://a.localhost:3000",
        "http://127.0.0.1:3000",
        "https://axexample",
    ],
)
def test_a_pattern_allows_nothing_else(client: httpx.Client, origin: str) -> None:
    for _ in range(2):
        assert allowed(client, origin) is None


def test_more_origins_than_are_remembered_are_allowed(client: httpx.Client) -> None:
    for origin in ["https://a.example", *(f"https://a{n}.vercel.app" for n in range(MOST_REMEMBERED + 10))]:
        response = client.get("/health/live", headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Origin" not in client.get("/health/live").headers
    assert allowed(client, "https://a.example") == "https://a.example"
    assert allowed(client, "https://evil.com") is None


def test_what_is_remembered_is_bounded() -> None:
    """An attacker can send any number of origins, of any length."""
    headers = HeadersByOrigin(["https://*.vercel.app"], b"ETag")
    for n in range(3 * MOST_REMEMBERED):
        assert headers[f"https://a{n}.vercel.app".encode()][0][1].startswith(b"https://a")
        assert headers[f"https://a{n}.evil.com".encode()][0][1] == b"true"
    assert len(headers) == MOST_REMEMBERED
    assert max(len(origin or b"") for origin in headers) < 100


def test_an_origin_that_was_seen_is_not_matched_again() -> None:
    headers = HeadersByOrigin(["https://*.vercel.app"], b"ETag")
    assert headers[b"https://a.vercel.app"] is headers[b"https://a.vercel.app"]


def test_the_warning_is_logged_once_at_startup(database: str, server: str, tmp_path: Path) -> None:
    assert server, "it has migrated the database"
    settings = {"ENVIRONMENT": "production", "HOST": "127.0.0.1", "WEB_CONCURRENCY": "2"}
    with start(tmp_path, DATABASE_URL=database, ALLOWED_ORIGINS="https://*.vercel.app", **settings) as service:
        lines = [line for line in service.log.read_text().splitlines() if "vercel.app" in line]
    (line,) = lines
    assert '"level":"warning"' in line.replace(" ", "").lower()
