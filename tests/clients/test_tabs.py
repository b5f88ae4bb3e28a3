"""In a real browser, the tabs of a user show each other's changes at once, and share one stream."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.support.better_auth import NODE_MODULES, needs_node
from tests.support.browser import CHROMIUM, chromium, website
from tests.support.client import User, mint
from tests.support.server import serve

pytestmark = [needs_node, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]

# More than the connections that a browser opens to a host.
MANY = 8


@pytest.fixture(scope="module")
def port(sync_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of a website with the page that shows tasks."""
    directory = tmp_path_factory.mktemp("website")
    for name in ("tabs.html", "todo.js", "todo-map.js"):
        shutil.copy(sync_project / name, directory)
    shutil.copy(NODE_MODULES / "openapi-fetch" / "dist" / "index.mjs", directory / "openapi-fetch.mjs")
    with website(directory) as port:
        yield port


@pytest.fixture(scope="module")
def api(database: str, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a service that allows the website's origin."""
    directory: Path = tmp_path_factory.mktemp("server")
    with serve(directory, DATABASE_URL=database, ALLOWED_ORIGINS=f"http://localhost:{port}") as url:
        yield url


@pytest.fixture
def device(api: str) -> Iterator[User]:
    """Yield another device of the user whose tasks the tabs show."""
    with User(api, f"ada-{uuid4().hex}") as user:
        yield user


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser."""
    with chromium() as browser:
        yield browser


class Tabs:
    """The tabs of one browser in which a user is signed in."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self._url = url
        self.lifetime = 900.0
        self.streams: list[Request] = []
        """The requests for a stream so far."""
        context.expose_function("mint", self._mint)
        context.on("request", self._note)

    def open(self) -> Page:
        """Open a tab."""
        page = self._context.new_page()
        page.goto(self._url)
        return page

    def _mint(self, user_id: str) -> str:
        return mint(user_id, exp=time.time() + self.lifetime)

    def _note(self, request: Request) -> None:
        if request.url.endswith("/events") and request.method == "GET":
            self.streams.append(request)


@pytest.fixture
def tabs(browser: Browser, port: int, api: str, device: User) -> Iterator[Tabs]:
    """Yield a browser without stored state and without tabs."""
    with browser.new_context() as context:
        yield Tabs(context, f"http://localhost:{port}/tabs.html#{api} {device.id}")


def shows(tab: Page, *titles: str) -> None:
    """Wait until a tab shows these tasks, for at most two seconds."""
    expect(tab.get_by_role("listitem")).to_have_text(titles, timeout=2000)


def test_two_tabs_show_each_others_changes_and_those_of_another_device(tabs: Tabs, device: User) -> None:
    first, second = tabs.open(), tabs.open()
    first.evaluate("create('Buy milk')")
    shows(second, "Buy milk")
    second.evaluate("create('Buy oats')")
    shows(first, "Buy milk", "Buy oats")
    milk = device.get("/tasks?search=milk").json()["tasks"][0]
    device.request("DELETE", f"/tasks/{milk['id']}")
    for tab in (first, second):
        shows(tab, "Buy oats")


def test_more_tabs_than_a_browser_opens_connections_share_one_stream(tabs: Tabs, device: User) -> None:
    opened = [tabs.open() for _ in range(MANY)]
    device.create("Buy milk")
    for tab in opened:
        shows(tab, "Buy milk")
    assert len(tabs.streams) == 1


def test_another_tab_reads_the_stream_when_the_one_that_did_is_closed(tabs: Tabs, device: User) -> None:
    first, second = tabs.open(), tabs.open()
    first.close()
    device.create("Buy milk")
    shows(second, "Buy milk")
    assert len(tabs.streams) == 2


def test_a_stream_whose_token_has_expired_is_followed_by_one_with_a_fresh_token(tabs: Tabs, device: User) -> None:
    tabs.lifetime = 2
    tab = tabs.open()
    while len(tabs.streams) < 2:
        tab.wait_for_event("request")
    device.create("Buy milk")
    shows(tab, "Buy milk")
    used = [request.all_headers()["authorization"] for request in tabs.streams]
    assert len(used) == len(set(used))
