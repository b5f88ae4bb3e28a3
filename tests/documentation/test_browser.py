"""In a real browser, the pages work, the frontend can call the API, and other websites cannot."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect

from tests.support.browser import CHROMIUM, chromium, faults_of, website
from tests.support.client import Json, User, mint
from tests.support.postgres import new_database
from tests.support.server import serve

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

EXPAND_ALL = """async () => {
    document.querySelectorAll("#swagger-ui .opblock [aria-expanded=false]").forEach(button => button.click());
    await new Promise(requestAnimationFrame);
}"""
FETCH = """async ([url, options]) => {
    const response = await fetch(url, {credentials: "include", ...options});
    const {status, headers} = response;
    return {status, headers: Object.fromEntries(headers), text: await response.text()};
}"""
INJECT = """() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.injected = true";
    document.body.append(script);
    return globalThis.injected === true;
}"""
FRAME = """url => {
    const frame = document.createElement("iframe");
    frame.src = url;
    const loaded = new Promise(resolve => frame.onload = resolve);
    document.body.append(frame);
    return loaded.then(() => {});
}"""

Headers = dict[str, str]


class Operation(NamedTuple):
    """An operation of the contract, as the pages show it."""

    tag: str
    id: str
    summary: str


class Answer(NamedTuple):
    """The parts of a response that a script in a page can read."""

    status: int
    headers: Headers
    text: str


class Script:
    """A script in a page of the website. It calls the API for a user."""

    # The page must have no routes (Page.route): with one, Playwright answers preflight requests itself and grants them.
    def __init__(self, page: Page, user: User) -> None:
        self._page = page
        self._server = str(user.http.base_url)
        self._tasks = f"{self._server}/api/{user.id}/tasks"
        self._authorization = {"Authorization": f"Bearer {mint(user.id)}"}

    def fetch(self, method: str, path: str = "", body: Json = None, headers: Headers | None = None) -> Answer:
        """Call an operation on the user's tasks. Raises Playwright's Error if the browser forbids it."""
        sent = self._authorization | {"Content-Type": "application/json"} | (headers or {})
        content = None if body is None else json.dumps(body)
        request = {"method": method, "headers": sent, "body": content}
        return Answer(**self._page.evaluate(FETCH, [self._tasks + path, request]))

    def get(self, path: str) -> Answer:
        """GET a path of the server without a token, for which the browser sends no preflight request."""
        return Answer(**self._page.evaluate(FETCH, [self._server + path, {}]))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Yield a page of a browser without stored state."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of a website."""
    with website(tmp_path_factory.mktemp("website")) as port:
        yield port


@pytest.fixture(scope="module")
def database(postgres: str) -> str:
    """Return the URL of a database that a test may break."""
    return new_database(postgres)


@pytest.fixture(scope="module")
def server(database: str, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a service that allows one of the website's two origins."""
    directory: Path = tmp_path_factory.mktemp("server")
    with serve(directory, DATABASE_URL=database, ALLOWED_ORIGINS=f"http://localhost:{port}") as url:
        yield url


@pytest.fixture
def _no_tasks_table(server: str, database: str) -> Iterator[None]:  # noqa: ARG001 - it creates the table
    """Rename the table of tasks for the duration of a test."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE tasks RENAME TO taken")
        yield
        connection.execute("ALTER TABLE taken RENAME TO tasks")


@pytest.fixture
def frontend(page: Page, port: int, ada: User) -> Script:
    """Return the script of a page whose origin may call the API."""
    page.goto(f"http://localhost:{port}")
    return Script(page, ada)


@pytest.fixture
def stranger(page: Page, port: int, ada: User) -> Script:
    """Return the script of a page whose origin may not call the API, although the script has a valid token."""
    page.goto(f"http://127.0.0.1:{port}")
    return Script(page, ada)


@pytest.fixture
def operations(server: str) -> list[Operation]:
    """Return all operations, sorted by tag."""
    paths = httpx.get(f"{server}/openapi.json").json()["paths"].values()
    declared = [item[method] for item in paths for method in item.keys() - {"parameters"}]
    return sorted(Operation(one["tags"][0], one["operationId"], one["summary"]) for one in declared)


def authorize(page: Page, user: User) -> None:
    """Give Swagger UI a token."""
    page.get_by_role("button", name="Authorize", exact=True).click()
    page.get_by_label("auth-bearer-value").fill(mint(user.id))
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close", exact=True).click()


def try_out(page: Page, operation: str, **parameters: str) -> Answer:
    """Execute an operation with these parameters and the prefilled ones, and return the response that is shown."""
    block = page.locator(f"#operations-tasks-{operation}")
    block.get_by_role("button").first.click()
    for name, value in parameters.items():
        block.get_by_placeholder(name).fill(value)
    return execute(block)


def execute(operation: Locator) -> Answer:
    """Execute an operation that is open, and return the response that is shown."""
    operation.get_by_role("button", name="Execute").click()
    shown = operation.locator(".live-responses-table")
    status = shown.locator("tbody .response-col_status").inner_text()
    return Answer(int(status), {}, shown.locator("code").inner_text())


def test_swagger_ui_shows_every_operation_and_runs_it_with_a_token(
    page: Page, server: str, operations: list[Operation], ada: User
) -> None:
    faults = faults_of(page, server)
    page.goto(f"{server}/docs")
    for operation in operations:
        page.locator(f"#operations-{operation.tag}-{operation.id}").get_by_text(operation.summary).wait_for()
    authorize(page, ada)
    created = try_out(page, "create_task", user_id=ada.id)
    task = json.loads(created.text)
    assert (created.status, task["title"]) == (201, "Buy milk")
    listed = try_out(page, "list_tasks", user_id=ada.id)
    assert (listed.status, json.loads(listed.text)["tasks"]) == (200, [task])
    assert ada.titles() == ["Buy milk"]
    page.evaluate(EXPAND_ALL)
    page.keyboard.press("End")
    page.wait_for_load_state("networkidle")
    assert faults == []


def test_the_first_execute_is_one_click_away_as_the_user_demo(page: Page, server: str) -> None:
    faults = faults_of(page, server)
    page.goto(f"{server}/docs")
    page.get_by_role("button", name="Authorize as demo").click()
    operation = page.locator("#operations-tasks-create_task")
    expect(operation.get_by_role("button", name="Execute")).to_be_in_viewport()
    created = execute(operation)
    assert (created.status, json.loads(created.text)["user_id"]) == (201, "demo")
    listed = try_out(page, "list_tasks")
    assert (listed.status, json.loads(listed.text)["tasks"][0]) == (200, json.loads(created.text))
    assert faults == []


def test_the_user_demo_replaces_the_user_id_of_operations_that_are_open(page: Page, server: str) -> None:
    page.goto(f"{server}/docs")
    operation = page.locator("#operations-tasks-list_tasks")
    operation.get_by_role("button").first.click()
    user_id = operation.get_by_placeholder("user_id")
    user_id.fill("somebody")
    expect(user_id).to_have_value("somebody")
    page.get_by_role("button", name="Authorize as demo").click()
    expect(user_id).to_have_value("demo")
    assert execute(operation).status == 200


def test_the_button_says_so_if_there_is_no_token(page: Page, server: str) -> None:
    page.goto(f"{server}/docs")
    page.route("**/demo-token", lambda route: route.continue_(url=f"{server}/nowhere"))
    page.get_by_role("button", name="Authorize as demo").click()
    page.get_by_role("button", name="The server returned no token").wait_for()


def test_redoc_shows_every_operation_without_an_error(page: Page, server: str, operations: list[Operation]) -> None:
    faults = faults_of(page, server)
    page.goto(f"{server}/redoc")
    menu = page.get_by_role("list").first
    for tag, named in groupby(operations, lambda operation: operation.tag):
        menu.get_by_text(tag, exact=True).click()
        for operation in named:
            menu.get_by_text(operation.summary).wait_for()
        menu.get_by_text(operation.summary).click()
        page.get_by_role("heading").filter(has_text=operation.summary).wait_for()
    page.wait_for_load_state("networkidle")
    assert faults == []


def test_an_injected_script_does_not_run(page: Page, server: str) -> None:
    # The page's own scripts are not needed and take time to load.
    page.route("**/assets/**", lambda route: route.abort())
    for path in ("/docs", "/redoc"):
        page.goto(server + path)
        assert page.evaluate(INJECT) is False


def test_another_website_cannot_show_a_response_in_a_frame(page: Page, server: str, port: int) -> None:
    page.goto(f"http://localhost:{port}")
    for path in ("/docs", "/redoc", "/openapi.json", "/api/ada/tasks"):
        with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            page.evaluate(FRAME, server + path)
        page.frames[-1].wait_for_url("chrome-error://chromewebdata/", wait_until="commit")


def test_the_frontend_can_use_every_method_and_read_the_response_headers(frontend: Script) -> None:
    created = frontend.fetch("POST", body={"title": "A task"}, headers={"X-Request-ID": "of-the-page"})
    task = json.loads(created.text)
    assert (created.status, created.headers["etag"]) == (201, '"1"')
    assert created.headers["location"].endswith(f"/tasks/{task['id']}")
    assert created.headers["x-request-id"] == "of-the-page"
    path = f"/{task['id']}"
    assert json.loads(frontend.fetch("GET", path).text) == task
    assert frontend.fetch("HEAD", path).headers["etag"] == '"1"'
    assert frontend.fetch("GET", path, headers={"If-None-Match": '"1"'}).status == 304
    merge = {"Content-Type": "application/merge-patch+json", "If-Match": '"1"'}
    updated = frontend.fetch("PATCH", path, {"completed": True}, merge)
    assert (updated.status, updated.headers["etag"]) == (200, '"2"')
    assert frontend.fetch("GET").headers["etag"] == 'W/"2"'
    assert frontend.fetch("DELETE", path, headers={"If-Match": '"2"'}).status == 204
    assert frontend.get("/health").status == 200


def test_the_frontend_can_read_why_a_request_was_rejected(frontend: Script, ada: User) -> None:
    task = ada.create()
    overwriting = frontend.fetch("PATCH", f"/{task['id']}", {"title": "Mine"}, {"If-Match": '"7"'})
    other = {"Authorization": f"Bearer {mint('grace')}"}
    for status, readable, answer in [
        (400, "x-request-id", frontend.fetch("GET", "?limit=0")),
        (401, "www-authenticate", frontend.fetch("GET", headers={"Authorization": "Bearer nonsense"})),
        (403, "x-request-id", frontend.fetch("GET", headers=other)),
        (404, "x-request-id", frontend.fetch("GET", f"/{uuid4()}")),
        (405, "allow", frontend.fetch("PUT")),
        (412, "etag", overwriting),
        (415, "x-request-id", frontend.fetch("POST", headers={"Content-Type": "text/plain"})),
    ]:
        assert answer.status == json.loads(answer.text)["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers[readable]
    assert json.loads(overwriting.text)["task"] == task


@pytest.mark.usefixtures("_no_tasks_table")
def test_the_frontend_can_read_when_to_retry(frontend: Script) -> None:
    answer = frontend.fetch("GET")
    assert answer.status == json.loads(answer.text)["status"] == 503
    assert int(answer.headers["retry-after"]) > 0


def test_another_website_can_neither_read_nor_write_even_with_a_token(stranger: Script, ada: User) -> None:
    task = ada.create("Mine")
    for method, path, body in [
        ("GET", "", None),
        ("POST", "", {"title": "Theirs"}),
        ("PATCH", f"/{task['id']}", {"title": "Theirs"}),
        ("DELETE", f"/{task['id']}", None),
    ]:
        with pytest.raises(Error, match="Failed to fetch"):
            stranger.fetch(method, path, body)
    assert ada.titles() == ["Mine"]


def test_another_website_cannot_read_what_needs_no_token(stranger: Script) -> None:
    with pytest.raises(Error, match="Failed to fetch"):
        stranger.get("/health")
