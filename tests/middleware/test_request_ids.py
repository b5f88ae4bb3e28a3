"""Every response carries a request id, by which a user's report leads to a line in the log."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.client import User

STATUSES = [
    ("GET", "/health", 200),
    ("GET", "/openapi.json", 200),
    ("OPTIONS", "/health", 204),
    ("GET", "/api/{ada}/tasks", 200),
    ("GET", "/api/{ada}/tasks?limit=0", 400),
    ("GET", "/api/nobody/tasks", 403),
    ("GET", "/nowhere", 404),
    ("GET", "/api/{ada}/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41", 404),
    ("PUT", "/health", 405),
]


@pytest.fixture(scope="module")
def nobody(server: str) -> Iterator[httpx.Client]:
    """Yield a client without a token."""
    with httpx.Client(base_url=server) as client:
        yield client


@pytest.mark.parametrize(("method", "path", "status"), STATUSES)
def test_every_response_carries_the_id_of_its_request(ada: User, method: str, path: str, status: int) -> None:
    response = ada.http.request(
        method, path.replace("{ada}", ada.id), headers={"X-Request-ID": "from-the-Frontend_1.2"}
    )
    assert response.status_code == status
    assert response.headers.get_list("X-Request-ID") == ["from-the-Frontend_1.2"]
    if status >= 400:
        assert response.json()["instance"] == "urn:request:from-the-Frontend_1.2"


@pytest.mark.parametrize(("method", "path", "status"), STATUSES)
def test_a_request_without_an_id_is_assigned_one(ada: User, method: str, path: str, status: int) -> None:
    response = ada.http.request(method, path.replace("{ada}", ada.id))
    assert response.status_code == status
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])
    if status >= 400:
        assert response.json()["instance"] == f"urn:request:{response.headers['X-Request-ID']}"


def test_a_401_carries_the_id_of_its_request_too(nobody: httpx.Client) -> None:
    response = nobody.get("/api/ada/tasks", headers={"X-Request-ID": "x"})
    assert (response.status_code, response.headers["X-Request-ID"]) == (401, "x")


@pytest.mark.parametrize("request_id", ["0", "x" * 128, "8c1f6f7e-0a5d-4b56-a3f6-d2c4e9b1a7f0", "a.b_c-D", "---"])
def test_a_well_formed_id_is_kept(nobody: httpx.Client, request_id: str) -> None:
    assert nobody.get("/health", headers={"X-Request-ID": request_id}).headers["X-Request-ID"] == request_id


@pytest.mark.parametrize(
    "request_id",
    ["", "x" * 129, "a b", "ä", "\u0661", "a/b", "a,b", '"a"', "<script>", "${jndi:x}", "a\tb"],
    ids=lambda v: ascii(v)[:12],
)
def test_a_malformed_id_is_replaced(nobody: httpx.Client, request_id: str) -> None:
    response = nobody.get("/health", headers={b"X-Request-ID": request_id.encode()})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_every_request_is_assigned_a_different_id(nobody: httpx.Client) -> None:
    assert len({nobody.get("/health").headers["X-Request-ID"] for _ in range(10)}) == 10
