"""The page for clients of another backend: what it says is true, and its adapter lets such a client use this API."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.article import Page
from tests.support.client import Json, User, mint
from tests.support.server import ROOT

PAGE = "/coming-from-another-backend"
Answer = tuple[int, Json]
Call = Callable[..., Answer]

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js on this machine")


@pytest.fixture(scope="module")
def page(server: str) -> Page:
    """Return the page as the server sends it."""
    response = httpx.get(server + PAGE)
    assert response.status_code == 200
    return Page(response.text)


@pytest.fixture
def old(page: Page, ada: User, tmp_path: Path) -> Call:
    """Return a function that sends a request as a client of another backend does, through the page's adapter."""
    *_, adapter = page.blocks
    (tmp_path / "todo-fetch.js").write_text(adapter)
    (tmp_path / "package.json").write_text('{"type": "module"}')

    def call(method: str, path: str, body: Json = None, *, envelope: bool = False) -> Answer:
        (tmp_path / "client.js").write_text(client_of(page, envelope=envelope))
        environment = {"PATH": os.environ["PATH"], "METHOD": method, "TOKEN": mint(ada.id)}
        environment |= {"URL": f"{ada.http.base_url}/api/{ada.id}{path}"}
        environment |= {} if body is None else {"BODY": json.dumps(body)}
        node = ["node", str(tmp_path / "client.js")]
        done = subprocess.run(node, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        status, content = json.loads(done.stdout)
        return status, content

    return call


def client_of(page: Page, *, envelope: bool) -> str:
    """Return a client that begins as the page says."""
    bare, enveloped, _ = page.blocks
    start = bare.replace("const fetch = adapt();", enveloped) if envelope else bare
    return f"{start}\n{(ROOT / 'tests' / 'documentation' / 'old-client.js').read_text()}"


def as_old(task: Json) -> Json:
    """Return a task as another backend shows it."""
    return {**task, "priority": task["priority"].lower()}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("PATCH", "/tasks/{id}/complete", {}, 404, ["/complete", "404"]),
        ("GET", "/tasks?status=pending", None, 400, ["status=pending", "completed=false"]),
        ("GET", "/tasks?priority=high", None, 400, ["priority=high", "High"]),
        ("POST", "/tasks", {"title": "New", "priority": "high"}, 400, ['"priority": "high"', "High"]),
        ("POST", "/tasks", {"title": "x", "due_date": "2026-11-24T17:30:00.000Z"}, 400, ["T17:30:00.000Z", "400"]),
    ],
)
def test_what_the_page_says_is_rejected_is_rejected(
    page: Page, ada: User, method: str, path: str, body: Json, status: int, words: list[str]
) -> None:
    task = ada.create()
    assert ada.request(method, path.format(**task), json=body).status_code == status
    assert any(all(word in row for word in words) for row in page.rows)


@pytest.mark.parametrize(("method", "tags"), [("PATCH", ["home"]), ("PUT", [])])
def test_patch_keeps_members_that_are_left_out_and_put_does_not(page: Page, ada: User, method: str, tags: Json) -> None:
    task = ada.create(tags=["home"])
    assert ada.request(method, f"/tasks/{task['id']}", json={"title": "New"}).json()["tags"] == tags
    assert any(method in row and "left out" in row for row in page.rows)


def test_the_page_shows_a_list_as_it_is_here(page: Page, ada: User) -> None:
    (row,) = (row for row in page.rows if "next_cursor" in row)
    for name in ada.get("/tasks").json():
        assert f'"{name}":' in row


def test_the_adapter_is_short(page: Page) -> None:
    assert len(page.blocks[-1].splitlines()) < 30


@needs_node
def test_put_updates_a_task_that_is_sent_whole(old: Call, ada: User) -> None:
    task = ada.create("Old", tags=["home"])
    status, changed = old("PUT", f"/tasks/{task['id']}", {**as_old(task), "title": "New", "priority": "high"})
    assert (status, changed["title"], changed["priority"], changed["tags"]) == (200, "New", "high", ["home"])
    assert ada.get(f"/tasks/{task['id']}").json()["priority"] == "High"


@needs_node
def test_put_keeps_members_that_are_left_out_and_creates_nothing(old: Call, ada: User) -> None:
    task = ada.create("Old", tags=["home"])
    status, changed = old("PUT", f"/tasks/{task['id']}", {"completed": True})
    assert (status, changed["title"], changed["tags"], changed["completed"]) == (200, "Old", ["home"], True)
    status, _ = old("PUT", "/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41", {"title": "New"})
    assert status == 404


@needs_node
@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_complete_without_a_body_completes_a_task_and_reopens_it(old: Call, ada: User, method: str) -> None:
    task = ada.create()
    for completed in (True, False):
        status, changed = old(method, f"/tasks/{task['id']}/complete")
        assert (status, changed["completed"]) == (200, completed)
        assert ada.get(f"/tasks/{task['id']}").json()["completed"] is completed


@needs_node
def test_complete_with_a_body_does_what_the_body_says(old: Call, ada: User) -> None:
    task = ada.create()
    for _ in range(2):
        status, changed = old("PATCH", f"/tasks/{task['id']}/complete", {"completed": True})
        assert (status, changed["completed"]) == (200, True)


@needs_node
def test_status_filters_by_completion(old: Call, ada: User) -> None:
    ada.create("Done", completed=True)
    ada.create("Open")
    for query, titles in [
        ("status=pending", ["Open"]),
        ("status=completed", ["Done"]),
        ("status=all", ["Open", "Done"]),
        ("sort_by=title&status=all", ["Open", "Done"]),
        ("status=all&sort_by=title&limit=1", ["Open"]),
    ]:
        status, tasks = old("GET", f"/tasks?{query}")
        assert (status, [task["title"] for task in tasks]) == (200, titles), query


@needs_node
def test_a_priority_may_begin_with_a_small_letter(old: Call, ada: User) -> None:
    status, created = old("POST", "/tasks", {"title": "Now", "priority": "high"})
    assert (status, created["priority"]) == (201, "high")
    ada.create("Later", priority="Low")
    ada.create("Some day")
    status, tasks = old("GET", "/tasks?priority=high&priority=low")
    assert (status, [task["priority"] for task in tasks]) == (200, ["low", "high"])


@needs_node
def test_a_list_is_a_bare_array_of_all_tasks_or_of_the_page_that_is_asked_for(old: Call, ada: User) -> None:
    tasks = [as_old(ada.create(f"Task {number}")) for number in range(52)][::-1]
    assert old("GET", "/tasks") == (200, tasks)
    assert old("GET", "/tasks?limit=2") == (200, tasks[:2])
    assert old("GET", "/tasks?offset=2&limit=3") == (200, tasks[2:5])


@needs_node
def test_lists_and_tasks_can_be_in_an_envelope(old: Call, ada: User) -> None:
    task = as_old(ada.create())
    assert old("GET", "/tasks", envelope=True) == (200, {"data": {"tasks": [task]}})
    assert old("GET", f"/tasks/{task['id']}", envelope=True) == (200, {"data": {"task": task}})
    assert old("GET", "/tags", envelope=True) == (200, [])


@needs_node
def test_other_responses_are_passed_on(old: Call, ada: User) -> None:
    task = as_old(ada.create(tags=["home"]))
    assert old("GET", f"/tasks/{task['id']}") == (200, task)
    assert old("GET", "/tags") == (200, [{"name": "home", "usage_count": 1}])
    assert old("DELETE", f"/tasks/{task['id']}") == (204, None)


@needs_node
@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/tasks", {"title": ""}, 400),
        ("POST", "/tasks", {"title": "Now", "priority": None}, 400),
        ("GET", "/tasks?status=urgent", None, 400),
        ("PATCH", "/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/complete", None, 404),
    ],
)
def test_an_error_is_passed_on_with_its_detail(
    old: Call, method: str, path: str, body: dict[str, Any] | None, expected: int
) -> None:
    status, problem = old(method, path, body)
    assert status == problem["status"] == expected
    assert problem["detail"]
