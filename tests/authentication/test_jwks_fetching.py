"""The keys at JWKS_URL are fetched when needed and no more often, and kept while the host is down."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.client import claims_of, mint
from tests.support.conformance import CONTRACT
from tests.support.jwks import (
    ADA,
    MINUTE,
    Answer,
    Api,
    JwksHost,
    forged,
    jwks_host,
    send,
    signing_key,
)
from tests.support.server import SECRET, run

FIVE_MINUTES = 301
LONG = 601
KNOWN, ANOTHER = signing_key("known"), signing_key("another")


@pytest.fixture
def api(shared: Api) -> Api:
    """Return that service; it knows a key."""
    shared.reset()
    shared.publish(KNOWN)
    return shared


class Gate:
    """A response of the host that is held back until the gate is opened."""

    def __init__(self, host: JwksHost) -> None:
        self._publish, self._opened, self.reached = host.publish, threading.Event(), threading.Event()

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        """Respond with the host's keys once the gate is open."""
        self.reached.set()
        self._opened.wait(10)
        self._publish(request)

    def open(self) -> None:
        """Let this response and all later ones pass."""
        self._opened.set()


def test_the_keys_are_fetched_before_the_first_request(shared: Api) -> None:
    shared.host.keys = [KNOWN.jwk()]
    assert shared.host.fetches == 1
    assert shared.status(KNOWN) == 200
    assert shared.host.fetches == 2


def test_unknown_keys_cause_at_most_one_fetch_a_minute(api: Api) -> None:
    new = signing_key(uuid4().hex)
    before = api.host.fetches
    for number in range(20):
        assert api.status(new, {"kid": f"made up {number}"}) == 401
    assert api.host.fetches == before + 1
    api.host.keys.append(new.jwk())
    assert api.status(new) == 401
    api.clock.put_forward(MINUTE)
    assert api.status(new) == 200
    assert api.host.fetches == before + 2


def test_only_a_token_that_could_be_valid_causes_a_fetch(api: Api) -> None:
    before = api.host.fetches
    for header in ({"alg": "none"}, {"alg": "HS512"}, {"alg": "RS512"}, {"alg": "HS256"}, {}):
        assert api.verify(forged(header | {"kid": "unknown"}, claims_of(ADA), b"x")).status_code == 401
    assert api.verify(forged({"alg": "EdDSA"}, claims_of(ADA), b"x")).status_code == 401
    assert api.host.fetches == before


def test_concurrent_requests_share_one_fetch_and_other_requests_do_not_wait(api: Api) -> None:
    new = signing_key(uuid4().hex)
    api.host.keys.append(new.jwk())
    before = api.host.fetches
    api.host.answer = gate = Gate(api.host)
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(api.status, new) for _ in range(10)]
        assert gate.reached.wait(5)
        started = time.monotonic()
        assert api.http.get("/health/live").status_code == 200
        assert api.verify(mint(ADA)).status_code == 200
        assert api.status(KNOWN) == 200
        seconds = time.monotonic() - started
        gate.open()
        assert [one.result() for one in waiting] == [200] * 10
    assert seconds < 2
    assert api.host.fetches == before + 1


def test_a_removed_key_is_invalid_after_the_next_fetch(api: Api) -> None:
    api.host.keys = [ANOTHER.jwk()]
    assert api.status(KNOWN) == 200
    assert api.status(ANOTHER) == 200
    assert api.status(KNOWN) == 401


def test_keys_in_use_are_refreshed_every_five_minutes_and_no_request_waits_for_it(api: Api) -> None:
    before = api.host.fetches
    assert api.status(KNOWN) == 200
    assert api.host.fetches == before
    api.host.answer = gate = Gate(api.host)
    api.host.keys = [ANOTHER.jwk()]
    api.clock.put_forward(FIVE_MINUTES)
    assert (api.status(KNOWN), api.status(KNOWN)) == (200, 200)
    assert gate.reached.wait(5)
    gate.open()
    deadline = time.monotonic() + 5
    while api.status(KNOWN) != 401:
        assert time.monotonic() < deadline
    assert api.host.fetches <= before + 2


def test_a_key_that_was_not_used_for_long_is_fetched_first(api: Api) -> None:
    api.host.keys = [ANOTHER.jwk()]
    api.clock.put_forward(LONG)
    assert api.status(KNOWN) == 401


def test_while_the_host_is_down_known_keys_stay_valid_and_others_get_a_503(api: Api) -> None:
    api.host.stop()
    refused = api.verify(ANOTHER.sign(ADA, api.host.origin))
    assert (refused.status_code, refused.json()["detail"]) == (503, "The token's key cannot be fetched.")
    assert 50 <= int(refused.headers["Retry-After"]) <= 60
    for seconds in (0, MINUTE, FIVE_MINUTES, LONG):
        api.clock.put_forward(seconds)
        assert (api.status(KNOWN), api.status(ANOTHER)) == (200, 503)
        assert api.verify(mint(ADA)).status_code == 200
    assert "JWKS_URL does not respond: " in api.log()
    api.host.keys.append(ANOTHER.jwk())
    api.host.start()
    api.clock.put_forward(MINUTE)
    assert (api.status(ANOTHER), api.status(KNOWN)) == (200, 200)


def test_every_operation_with_a_token_declares_the_503(api: Api) -> None:
    api.host.stop()
    headers = {"Authorization": f"Bearer {ANOTHER.sign(ADA, api.host.origin)}"}
    for path, item in CONTRACT["paths"].items():
        for method in item.keys() - {"parameters"}:
            where = path.replace("{user_id}", ADA).replace("{task_id}", "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41")
            status = api.http.request(method, where, headers=headers).status_code
            assert status == (200 if path.startswith("/health") else 503), where


def answer(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Return a response for the host to send."""
    return lambda request: send(request, body, status, **headers)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """Respond with something that is not HTTP."""
    request.wfile.write(b"hello\r\n\r\n")


def drip(request: BaseHTTPRequestHandler) -> None:
    """Respond one byte at a time, for longer than a client should wait."""
    request.send_response(200)
    request.end_headers()
    for _ in range(25):
        request.wfile.write(b" ")
        time.sleep(0.2)


NO_SET = "JWKS_URL responds with something other than a JWK set"
WRONG: dict[str, tuple[Answer, str]] = {
    "an error": (answer(b'{"keys": []}', 500), "JWKS_URL responds with status 500, not 200"),
    "a redirect": (answer(b"", 302, Location="/good"), "JWKS_URL responds with status 302, not 200"),
    "a page": (answer(b"<html>"), NO_SET),
    "a list": (answer(b"[]"), NO_SET),
    "no keys": (answer(b"{}"), NO_SET),
    "keys that are not a list": (answer(b'{"keys": {"kid": "x"}}'), NO_SET),
    "depth": (answer(b'{"keys": ' + b"[" * 100_000), NO_SET),
    "no UTF-8": (answer(b'{"keys": ["\xff"]}'), NO_SET),
    "nothing": (answer(b""), NO_SET),
    "too much": (answer(b'{"keys": []}'.ljust(600_000)), "JWKS_URL responds with more than 512 KiB"),
    "too many": (answer(json.dumps({"keys": [{}] * 501}).encode()), "JWKS_URL responds with more than 500 keys"),
    "no HTTP": (hang_up, "JWKS_URL does not respond: "),
    "no end": (drip, "JWKS_URL does not respond within 3 s"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_response_without_a_key_set_is_treated_as_if_the_host_were_down(api: Api, wrong: str) -> None:
    given, words = WRONG[wrong]
    api.host.keys.append(ANOTHER.jwk())
    api.host.answer = lambda request: (api.host.publish if request.path == "/good" else given)(request)
    logged = len(api.log())
    assert (api.status(ANOTHER), api.status(KNOWN)) == (503, 200)
    assert words in api.log()[logged:]


def test_an_empty_set_makes_all_keys_invalid_and_is_logged(api: Api) -> None:
    api.host.keys = []
    assert (api.status(ANOTHER), api.status(KNOWN)) == (401, 401)
    assert "JWKS_URL has no key for ES256, EdDSA, RS256" in api.log()


def test_no_token_and_no_secret_is_logged(api: Api) -> None:
    token = KNOWN.sign(ADA, api.host.origin)
    assert api.verify(token).status_code == 200
    for secret in (token, token.rpartition(".")[2], SECRET):
        assert secret not in api.log()


def examined(directory: Path, url: str, **settings: str) -> str:
    """Return the line of `todo-api doctor` about the keys."""
    settings |= {"DATABASE_URL": "postgresql://127.0.0.1:1/todo", "JWKS_URL": url}
    lines = run("doctor", directory=directory, settings=settings).stdout.splitlines()
    return next(line for line in lines if line.split()[1] == "jwks")


def test_doctor_reports_whether_there_are_keys(tmp_path: Path) -> None:
    with jwks_host() as host:
        host.keys = [KNOWN.jwk(), ANOTHER.jwk(), signing_key("EC", "ES256").jwk()]
        line = examined(tmp_path, host.url)
        assert line.startswith("ok     jwks          JWKS_URL responds; its keys are for ES256 and EdDSA.")
        host.keys = [KNOWN.jwk(use="enc")]
        line = examined(tmp_path, host.url)
        assert line.startswith("fault  jwks          JWKS_URL responds, but has no key for ES256, EdDSA, RS256: ")
    assert examined(tmp_path, host.url).startswith("fault  jwks          JWKS_URL does not respond: ")


@pytest.mark.parametrize("proxy", ["http", "socks5", "ftp"])
def test_a_proxy_of_the_environment_is_not_used_without_tls(tmp_path: Path, proxy: str) -> None:
    nowhere = {"ALL_PROXY": f"{proxy}://127.0.0.1:1"}
    with jwks_host() as host:
        host.keys = [KNOWN.jwk()]
        assert examined(tmp_path, host.url, **nowhere).startswith("ok     jwks ")
    encrypted = "https://app.example.com/api/auth/jwks"
    assert examined(tmp_path, encrypted, **nowhere).startswith("fault  jwks          JWKS_URL does not respond: ")
