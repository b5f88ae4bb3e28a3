"""The check of every response against the contract.

A violation fails the test that received it. A declared response that no test receives fails a full run.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.support.client import User
from tests.support.conformance import DECLARED, NotInContract, check
from tests.support.raw_answers import check_raw
from tests.support.server import ROOT


def changed(answer: httpx.Response, status: int, headers: dict[str, Any], body: Any) -> httpx.Response:
    """Return a response with another status, with some headers or members changed, or with another body.

    A header whose new value is None is removed, and so is a member whose new value is "left out".
    """
    if isinstance(body, dict):
        body = orjson.dumps({name: value for name, value in {**answer.json(), **body}.items() if value != "left out"})
    given = {name: value for name, value in {**answer.headers, **headers}.items() if value is not None}
    return httpx.Response(status, headers=given, stream=httpx.ByteStream(body), request=answer.request)


@pytest.mark.parametrize(
    ("status", "headers", "body", "fault"),
    [
        (418, {}, {}, "the status is not declared"),
        (200, {"etag": None}, {}, "the header etag is missing"),
        (200, {"x-content-type-options": None}, {}, "the header x-content-type-options is missing"),
        (200, {"etag": 'W/"1"'}, {}, "the header etag, "),
        (200, {"etag": '"1", "1"'}, {}, "the header etag, "),
        (200, {"x-powered-by": "x"}, {}, "the header x-powered-by is not declared"),
        (200, {"content-type": "text/plain"}, {}, "the media type text/plain is not declared"),
        (200, {"content-type": None}, {}, "the media type None is not declared"),
        (200, {}, b"null", "the body, "),
        (200, {}, {"title": 1}, "the body, "),
        (200, {}, {"title": None}, "the body, "),
        (200, {}, {"title": "left out"}, "the body, "),
        (200, {}, {"more": 1}, "the body, "),
        (200, {}, {"revision": 1.0}, "the body, "),
        (200, {}, {"revision": 2**63}, "the body, "),
        (200, {}, {"id": "x"}, "the body, "),
        (200, {}, {"due_date": "2026-02-30"}, "the body, "),
        (200, {}, {"created_at": "2026-01-01 00:00:00Z"}, "the body, "),
        (200, {}, {"created_at": "2026-01-32T00:00:00Z"}, "the body, "),
        (304, {}, {}, "there is a body, and none is declared"),
        (304, {}, b"", "there is a body, and none is declared"),
        (304, {"content-type": None, "cache-control": None}, b"", "the header cache-control is missing"),
    ],
    ids=str,
)
def test_a_response_that_violates_the_contract_is_reported(
    ada: User, status: int, headers: dict[str, Any], body: Any, fault: str
) -> None:
    answer = ada.get(f"/tasks/{ada.create()['id']}")
    with pytest.raises(NotInContract, match=f"^get_task {status}: {fault}"):
        check(changed(answer, status, headers, body))


def test_a_member_that_is_not_declared_is_reported_at_any_depth(ada: User) -> None:
    task, deleted = ada.create(), ada.create()
    ada.request("DELETE", f"/tasks/{deleted['id']}")
    stale = ada.patch(task["id"], {}, headers={"If-Match": '"0"'})
    page, trash = ada.get("/tasks"), ada.get("/trash")
    more = {"more": 1}
    for answer, body in [
        (page, more),
        (page, {"tasks": [task | more]}),
        (stale, more),
        (stale, {"task": task | more}),
        # A schema made of an `allOf`.
        (trash, {"tasks": [trash.json()["tasks"][0] | more]}),
    ]:
        with pytest.raises(NotInContract, match=r"'more' was unexpected"):
            check(changed(answer, answer.status_code, {}, body))


def test_an_optional_header_may_be_absent_but_not_wrong(ada: User) -> None:
    answer = ada.request("POST", "/tasks", json={"title": "A task"})
    for value in (None, "true"):
        check(changed(answer, 201, {"idempotency-replayed": value}, {}))
    with pytest.raises(NotInContract, match="the header idempotency-replayed, "):
        check(changed(answer, 201, {"idempotency-replayed": "yes"}, {}))


def test_a_204_must_not_have_a_content_length(ada: User) -> None:
    answer = ada.request("DELETE", f"/tasks/{ada.create()['id']}")
    with pytest.raises(NotInContract, match="a 204 has a Content-Length"):
        check(changed(answer, 204, {"content-length": "0"}, b""))


def test_a_response_to_head_must_have_the_headers_of_get_and_no_body(ada: User) -> None:
    answer = ada.request("HEAD", "/tasks")
    for headers, body in ({"etag": None}, b""), ({}, b"{}"):
        with pytest.raises(NotInContract, match=r"^list_tasks 200: "):
            check(changed(answer, 200, headers, body))


@pytest.mark.parametrize("header", ["allow", "x-request-id"])
def test_responses_to_options_and_unsupported_methods_must_match_the_description(ada: User, header: str) -> None:
    for method, status in ("OPTIONS", 204), ("PUT", 405):
        answer = ada.request(method, "/tasks")
        check(answer)
        for wrong in changed(answer, 200, {}, answer.content), changed(answer, status, {header: None}, answer.content):
            with pytest.raises(NotInContract):
                check(wrong)


def answer_nothing(_: httpx.Request) -> httpx.Response:
    """Return a response that the contract does not declare for any operation."""
    return httpx.Response(200)


@pytest.mark.parametrize("path", ["/health", "/api/a/tasks", "/api/%2e%2e/tasks?limit=1", "/%68ealth"])
def test_every_http_client_checks_its_responses_against_the_contract(path: str) -> None:
    nobody = httpx.MockTransport(answer_nothing)
    with httpx.Client(transport=nobody) as client, pytest.raises(NotInContract):
        client.get(f"http://nobody{path}")

    async def ask() -> None:
        async with httpx.AsyncClient(transport=nobody) as client:
            await client.get(f"http://nobody{path}")

    with pytest.raises(NotInContract):
        asyncio.run(ask())
    request = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode()
    elsewhere = b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for sent in (request, request[:-4] + b"\r\nContent-Length: 9\r\n\r\nhalf", elsewhere + request):
        with pytest.raises(NotInContract):
            check_raw(sent, answer * 2)
    check_raw(elsewhere + b"NONSENSE\r\n\r\n" + request, answer * 3)


CONFTEST = """
from tests.support.contract_coverage import ContractCoverage

def pytest_configure(config):
    config.pluginmanager.register(ContractCoverage(config))
"""
TEST = """
from tests.support.conformance import DECLARED, PRODUCED

def test_all_but_one():
    PRODUCED.update(DECLARED - {("create_task", "201")})
"""


def test_a_full_run_fails_if_no_test_produces_a_declared_response(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-W", "ignore", *arguments]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
        output = [line for line in done.stdout.splitlines() if line.startswith("contract: ")]
        return done.returncode, "".join(output)

    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["."]\n')
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TEST)
    seen = f"{len(DECLARED) - 1} of {len(DECLARED)} (operation, status) pairs produced"
    missing = f"contract: {seen}; missing: create_task 201"
    # With workers of pytest-xdist, which pass on the responses that they have seen.
    assert run("-n", "1") == (1, missing)
    assert run("test_it.py") == (0, "")
