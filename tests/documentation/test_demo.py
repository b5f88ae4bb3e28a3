"""The button that signs in as the user `demo`: in development, on this machine only, and never for another website."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.server import serve

TOKEN = "/docs/demo-token"


@pytest.fixture
def client(server: str) -> Iterator[httpx.Client]:
    """Yield a client of a service in development, at a loopback address."""
    with httpx.Client(base_url=server) as client:
        yield client


def sent_by_the_page(host: str) -> dict[str, str]:
    """Return the headers that a browser sends if a page at this host requests the token."""
    return {"Host": host, "Origin": f"http://{host.lower()}", "Sec-Fetch-Site": "same-origin"}


def hosts(server: str, *names: str) -> list[str]:
    """Return these hosts with the service's port."""
    return [f"{name}:{urlsplit(server).port}" for name in names]


def shows_the_button(page: httpx.Response) -> bool:
    """Return whether the page has the button and its script."""
    assert page.status_code == 200
    found = {bool(re.search(pattern, page.text)) for pattern in ("<button", "demo.js")}
    assert len(found) == 1
    return found == {True}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "localhost:3000", "[::1]:7860"])
def test_a_loopback_host_gets_the_button_and_a_token_for_demo(client: httpx.Client, host: str) -> None:
    assert shows_the_button(client.get("/docs", headers={"Host": host}))
    response = client.post(TOKEN, headers=sent_by_the_page(host))
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    token = response.json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post("/api/auth/verify", headers=headers).json()["user_id"] == "demo"
    assert client.get("/api/demo/tasks", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "attacker.example:7860",
        "127.0.0.2",
        "[::]",
        "localhost.",
        "",
    ],
)
def test_another_host_gets_neither_because_its_name_may_be_rebound_to_this_machine(
    client: httpx.Client, host: str
) -> None:
    assert not shows_the_button(client.get("/docs", headers={"Host": host}))
    assert client.post(TOKEN, headers=sent_by_the_page(host)).status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://attacker.example"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin, same-origin"},
        {"Sec-Fetch-Site": ""},
        # A proxy in front, such as the frontend's, may replace Host.
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
def test_a_page_of_another_origin_gets_no_token(client: httpx.Client, changed: dict[str, str]) -> None:
    response = client.post(TOKEN, headers=sent_by_the_page("localhost:7860") | changed)
    assert response.status_code == 404
    assert "eyJ" not in response.text


def test_the_token_is_neither_in_a_page_nor_got_by_a_link(client: httpx.Client) -> None:
    assert "eyJ" not in client.get("/docs").text
    for method in ("GET", "HEAD"):
        response = client.request(method, TOKEN, headers=sent_by_the_page("localhost"))
        assert (response.status_code, response.headers["Allow"]) == (405, "OPTIONS, POST")


def test_the_contract_does_not_mention_it(client: httpx.Client) -> None:
    assert "demo" not in client.get("/openapi.yaml").text


def test_both_forms_of_the_page_are_revalidated_and_have_the_same_policy(client: httpx.Client) -> None:
    ours, theirs = (client.get("/docs", headers={"Host": host}) for host in ("localhost", "todo.example"))
    assert ours.headers["ETag"] != theirs.headers["ETag"]
    for name in ("Cache-Control", "Content-Security-Policy"):
        assert ours.headers[name] == theirs.headers[name]
    headers = {"If-None-Match": ours.headers["ETag"]}
    assert client.get("/docs", headers={"Host": "localhost", **headers}).status_code == 304
    assert client.get("/docs", headers={"Host": "todo.example", **headers}).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [{"ENVIRONMENT": "production", "HOST": "127.0.0.1"}, {"HOST": "0.0.0.0"}],  # noqa: S104
)
def test_in_production_or_at_an_address_that_others_reach_there_is_no_trace_of_it(
    settings: dict[str, str], database: str, tmp_path: Path, client: httpx.Client
) -> None:
    demo = re.findall(r"assets/\w+/demo\.\w+", client.get("/docs", headers={"Host": "localhost"}).text)
    assert demo
    with serve(tmp_path, DATABASE_URL=database, **settings) as url:
        for host in hosts(url, "localhost", "127.0.0.1", "[::1]"):
            page = httpx.get(f"{url}/docs", headers={"Host": host})
            assert not shows_the_button(page)
            assert page.text == httpx.get(f"{url}/docs", headers={"Host": "todo.example"}).text
            assert httpx.post(url + TOKEN, headers=sent_by_the_page(host)).status_code == 404
            assert httpx.options(url + TOKEN, headers={"Host": host}).status_code == 404
        for path in demo:
            assert httpx.get(f"{url}/{path}").status_code == 404
        for path in re.findall(r"assets/\w+/docs\.\w+", page.text):
            assert "demo" not in httpx.get(f"{url}/{path}").text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_service_on_localhost_has_it(host: str, database: str, tmp_path: Path) -> None:
    with serve(tmp_path, DATABASE_URL=database, HOST=host) as url:
        assert shows_the_button(httpx.get(f"{url}/docs"))
