"""Settings take effect, on a server whose settings differ from the defaults."""

from collections.abc import Iterator

import httpx
import jwt
import pytest

from tests.support.client import claims_of
from tests.support.server import SECRET, serve


def authorization(algorithm: str) -> dict[str, str]:
    """Return the header with a token that is signed with this algorithm."""
    return {"Authorization": f"Bearer {jwt.encode(claims_of('ada'), SECRET * 2, algorithm=algorithm)}"}


@pytest.fixture(scope="module")
def client(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Yield a client of such a server, with a token that the server accepts."""
    settings = {
        "ALLOWED_ORIGINS": " https://app.example.com/ , https://b.example.com:8443",
        "BETTER_AUTH_SECRET": SECRET * 2,
        "BODY_LIMIT": "2048",
        "JWT_ALGORITHM": "HS512",
    }
    directory = tmp_path_factory.mktemp("settings")
    with (
        serve(directory, DATABASE_URL=database, **settings) as url,
        httpx.Client(base_url=url, headers=authorization("HS512")) as client,
    ):
        yield client


@pytest.mark.parametrize("origin", ["https://app.example.com", "https://b.example.com:8443"])
def test_a_listed_origin_may_call(client: httpx.Client, origin: str) -> None:
    preflight = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    assert client.options("/api/ada/tasks/x", headers=preflight).headers["Access-Control-Allow-Origin"] == origin
    assert client.get("/api/ada/tasks", headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://b.example.com"])
def test_no_other_origin_may(client: httpx.Client, origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in client.get("/health", headers={"Origin": origin}).headers


@pytest.mark.parametrize(("size", "status"), [(2048, 201), (2049, 413)])
def test_a_body_may_be_as_large_as_the_limit(client: httpx.Client, size: int, status: int) -> None:
    content = b'{"title": "t"}'.ljust(size)
    response = client.post("/api/ada/tasks", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert status == 201 or response.json()["detail"] == "The body is larger than 2048 bytes."


@pytest.mark.parametrize(("algorithm", "status"), [("HS512", 200), ("HS256", 401), ("HS384", 401)])
def test_only_the_configured_algorithm_is_accepted(client: httpx.Client, algorithm: str, status: int) -> None:
    assert client.post("/api/auth/verify", headers=authorization(algorithm)).status_code == status
