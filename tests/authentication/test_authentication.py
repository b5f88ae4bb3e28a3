"""The user that a request acts for: only a JWT signed HS256 with the shared secret names one."""

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.client import User, claims_of, mint
from tests.support.jws import base64url, sign
from tests.support.server import SECRET, serve

ISSUER, AUDIENCE = "https://app.example.com", "todo-api"
OTHER_SECRET = "ein Geheimnis für Prüfungen, länger als 32 Bytes"


def token_of(**changed: Any) -> str:
    """Return a token of Ada's with some claims changed, correctly signed."""
    return sign(json.dumps(claims_of("ada", **changed)))


def verify(client: httpx.Client, token: str | None) -> httpx.Response:
    """Ask for the user that a token names."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.post("/api/auth/verify", headers=headers)


def refused(response: httpx.Response) -> bool:
    """Return whether a response is a 401 for a token that was sent."""
    return (
        response.status_code == 401
        and response.headers["Content-Type"] == "application/problem+json"
        and response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    )


def seconds_from_now(seconds: int) -> int:
    return int(time.time()) + seconds


def written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def nobody(server: str) -> Iterator[httpx.Client]:
    """Yield a client without a token."""
    with httpx.Client(base_url=server) as client:
        yield client


def test_verify_returns_the_claims(nobody: httpx.Client) -> None:
    now = int(time.time())
    response = verify(nobody, mint("ada", email="ada@example.com", name="Ada", iat=now, exp=now + 60))
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "private, no-cache")
    assert response.json() == {
        "valid": True,
        "user_id": "ada",
        "email": "ada@example.com",
        "name": "Ada",
        "issued_at": written(now),
        "expires_at": written(now + 60),
    }


def test_verify_returns_null_for_missing_claims(nobody: httpx.Client) -> None:
    exp = seconds_from_now(60)
    assert verify(nobody, sign(json.dumps({"sub": "ada", "exp": exp}))).json() == {
        "valid": True,
        "user_id": "ada",
        "email": None,
        "name": None,
        "issued_at": None,
        "expires_at": written(exp),
    }


@pytest.mark.parametrize("value", [1, True, ["a"], {}, "x" * 501, "\ud800"], ids=ascii)
def test_an_email_or_a_name_that_is_not_text_of_sensible_length_is_null(nobody: httpx.Client, value: Any) -> None:
    principal = verify(nobody, token_of(email=value, name=value)).json()
    assert (principal["email"], principal["name"]) == (None, None)


def test_health_needs_no_token(nobody: httpx.Client) -> None:
    assert nobody.get("/health").status_code == 200
    assert nobody.get("/health", headers={"Authorization": "Bearer nonsense"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/auth/verify"),
        ("GET", "/api/ada/tasks"),
        ("POST", "/api/ada/tasks"),
        ("GET", "/api/ada/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("PATCH", "/api/ada/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("DELETE", "/api/ada/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("GET", "/api/ada/lists"),
        ("POST", "/api/ada/lists"),
        ("GET", "/api/ada/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("PUT", "/api/ada/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("PATCH", "/api/ada/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("DELETE", "/api/ada/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"),
        ("POST", "/api/ada/lists/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/restore"),
        ("POST", "/api/ada/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/skip"),
        ("GET", "/api/ada/preferences"),
        ("PATCH", "/api/ada/preferences"),
        ("POST", "/api/ada/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41/move"),
        ("GET", "/api/ada/tags"),
    ],
)
def test_every_other_operation_requires_a_token(nobody: httpx.Client, method: str, path: str) -> None:
    response = nobody.request(method, path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["type"] == "urn:problem-type:todo-api:unauthorized"


def test_the_scheme_may_be_in_upper_or_lower_case(nobody: httpx.Client) -> None:
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {mint('ada')}"}
        assert nobody.post("/api/auth/verify", headers=headers).status_code == 200


def test_two_authorization_headers_are_refused_even_when_both_are_valid(nobody: httpx.Client) -> None:
    header = ("Authorization", f"Bearer {mint('ada')}")
    response = nobody.get("/api/ada/tasks", headers=[header, header])
    assert response.status_code == 400
    assert [error["name"] for error in response.json()["errors"]] == ["Authorization"]


def test_a_token_in_the_query_or_in_a_cookie_is_ignored(nobody: httpx.Client) -> None:
    assert nobody.get("/api/ada/tasks", params={"access_token": mint("ada")}).status_code == 401
    assert nobody.get("/api/ada/tasks", headers={"Cookie": f"token={mint('ada')}"}).status_code == 401


@pytest.mark.parametrize("claim", ["exp", "sub"])
def test_a_token_needs_a_subject_and_an_expiry(nobody: httpx.Client, claim: str) -> None:
    assert refused(verify(nobody, token_of(**{claim: None})))
    assert refused(verify(nobody, sign(json.dumps(claims_of("ada") | {claim: None}))))


def test_a_token_must_be_signed_with_the_secret(nobody: httpx.Client) -> None:
    payload = json.dumps(claims_of("ada"))
    head, body, signature = sign(payload).split(".")
    other_body = base64url(json.dumps(claims_of("grace")).encode())
    for token in (
        sign(payload, secret="another secret that is long enough for it"),
        sign(payload, secret=base64url(SECRET.encode())),
        sign(payload, secret=hashlib.sha256(SECRET.encode()).hexdigest()),
        sign(payload, secret=""),
        f"{head}.{other_body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature[:-2]}",
        f"{head}.{body}.{signature}.{signature}",
    ):
        assert refused(verify(nobody, token)), token


@pytest.mark.parametrize(
    ("claim", "seconds", "status"),
    [
        ("exp", 5, 200),
        ("exp", 0, 401),
        ("exp", -1, 401),
        ("exp", -29, 401),
        ("nbf", -5, 200),
        ("nbf", 20, 200),
        ("nbf", 45, 401),
        ("iat", -5, 200),
        ("iat", 20, 200),
        ("iat", 45, 401),
    ],
)
def test_only_nbf_and_iat_have_leeway(nobody: httpx.Client, claim: str, seconds: int, status: int) -> None:
    assert verify(nobody, mint("ada", **{claim: seconds_from_now(seconds)})).status_code == status


def test_spaces_before_a_token_are_ignored_and_other_blanks_are_not(nobody: httpx.Client) -> None:
    value = f"Bearer  {mint('ada')}"
    url = f"{nobody.base_url}/api/auth/verify"
    assert httpx.post(url, headers={"Authorization": value}).status_code == 200
    assert refused(httpx.post(url, headers={b"Authorization": value.encode() + b"\xa0"}))


def test_a_token_too_long_to_be_cached_is_valid_each_time(nobody: httpx.Client) -> None:
    token = mint("ada", name="x" * 5000)
    assert [verify(nobody, token).json()["name"] for _ in range(2)] == [None, None]


def test_the_response_to_an_expired_token_says_so(nobody: httpx.Client) -> None:
    response = verify(nobody, mint("ada", exp=seconds_from_now(-60)))
    assert refused(response)
    assert response.json()["detail"] == "The token has expired."


def test_a_token_that_was_valid_a_moment_ago_expires(nobody: httpx.Client) -> None:
    token = mint("ada", exp=time.time() + 2)
    assert [verify(nobody, token).status_code for _ in range(2)] == [200, 200]
    time.sleep(2.1)
    response = verify(nobody, token)
    assert refused(response)
    assert response.json()["detail"] == "The token has expired."


def test_times_may_have_fractions_and_reach_the_end_of_9999(nobody: httpx.Client) -> None:
    principal = verify(nobody, mint("ada", iat=1.5, exp=253402300799)).json()
    assert principal["issued_at"] == "1970-01-01T00:00:01.500000Z"
    assert principal["expires_at"] == "9999-12-31T23:59:59Z"


def test_the_user_is_the_subject_whatever_else_the_token_says(nobody: httpx.Client, ada: User, grace: User) -> None:
    others = {"id": grace.id, "userId": grace.id, "email": grace.id, "user": {"id": grace.id}}
    headers = {"Authorization": f"Bearer {mint(ada.id, **others)}"}
    assert nobody.get(f"/api/{ada.id}/tasks", headers=headers).status_code == 200
    assert nobody.get(f"/api/{grace.id}/tasks", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"id": "ada"},
        {"userId": "ada"},
        {"user_id": "ada"},
        {"email": "ada"},
        {"email": "ada", "updateTo": "grace@example.com"},
        {"session": {"userId": "ada", "token": "t"}, "user": {"id": "ada"}, "updatedAt": 1, "version": "1"},
    ],
    ids=["id", "userId", "user_id", "Better Auth email", "Better Auth change of email", "Better Auth cookie cache"],
)
def test_other_tokens_signed_with_the_secret_are_rejected(nobody: httpx.Client, claims: dict[str, Any]) -> None:
    token = sign(json.dumps(claims | {"iat": seconds_from_now(0), "exp": seconds_from_now(60)}))
    assert refused(verify(nobody, token))
    assert refused(nobody.get("/api/ada/tasks", headers={"Authorization": f"Bearer {token}"}))


def test_a_compact_cookie_cache_is_refused(nobody: httpx.Client) -> None:
    cookie = {"session": {"user": {"id": "ada"}}, "expiresAt": seconds_from_now(60) * 1000, "signature": "x"}
    assert refused(verify(nobody, base64url(json.dumps(cookie).encode())))


@pytest.mark.parametrize(
    ("method", "path", "content_type", "content"),
    [
        ("GET", "/tasks", None, b""),
        ("GET", "/tasks?limit=x&nope=1", None, b""),
        ("GET", "/tags?nope=1", None, b""),
        ("POST", "/tasks?nope=1", "application/json", b"{"),
        ("POST", "/tasks", "text/plain", b"x"),
        ("POST", "/tasks", "application/json", b"x" * 70_000),
        ("GET", "/tasks/no-uuid", None, b""),
        ("PATCH", "/tasks/no-uuid?nope=1", "application/json", b"null"),
        ("DELETE", "/tasks/no-uuid?nope=1", None, b""),
    ],
)
def test_the_path_of_another_user_is_forbidden_before_anything_is_validated(
    ada: User, grace: User, method: str, path: str, content_type: str | None, content: bytes
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for other in (grace.id, "nobody", ada.id.upper(), f"{ada.id}%20", "%00"):
        response = ada.http.request(method, f"/api/{other}{path}", headers=headers, content=content)
        assert response.status_code == 403
        assert response.json()["type"] == "urn:problem-type:todo-api:forbidden"
        assert "errors" not in response.json()


def test_issuer_and_audience_are_ignored_unless_configured(nobody: httpx.Client) -> None:
    for claim in ({"iss": "anybody"}, {"aud": "anybody"}, {"aud": ["a", "b"]}, {"iss": None, "aud": None}):
        assert verify(nobody, mint("ada", **claim)).status_code == 200


@pytest.fixture(scope="module")
def strict(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Yield a client of a server that expects an issuer and an audience, and whose secret is not ASCII."""
    settings = {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "BETTER_AUTH_SECRET": OTHER_SECRET}
    directory = tmp_path_factory.mktemp("strict")
    with serve(directory, DATABASE_URL=database, **settings) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    ("issuer", "audience", "status"),
    [
        (ISSUER, AUDIENCE, 200),
        (ISSUER, ["another", AUDIENCE], 200),
        ("https://evil.example.com", AUDIENCE, 401),
        (f"{ISSUER}/", AUDIENCE, 401),
        (None, AUDIENCE, 401),
        ([ISSUER], AUDIENCE, 401),
        (ISSUER, "another", 401),
        (ISSUER, [], 401),
        (ISSUER, None, 401),
        (ISSUER, 1, 401),
        (ISSUER, {"todo-api": 1}, 401),
    ],
)
def test_a_configured_issuer_and_audience_are_required(
    strict: httpx.Client, issuer: Any, audience: Any, status: int
) -> None:
    token = sign(json.dumps(claims_of("ada", iss=issuer, aud=audience)), secret=OTHER_SECRET)
    assert verify(strict, token).status_code == status
