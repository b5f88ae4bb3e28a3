"""Why a token was rejected: the response says so, and the log names the exception, but not what the token contains."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.support.client import Json, claims_of, mint
from tests.support.jwks import Api, jwks_host, served, signing_key
from tests.support.jws import sign
from tests.support.server import SECRET, Service, start

PRODUCTION = {"ENVIRONMENT": "production", "HOST": "127.0.0.1"}
ISSUER, AUDIENCE = "https://app.example.com", "todo-api"
# Every token that a test sends contains this text, and the log must not contain it.
PRIVATE = "privatissimum"
SUBJECT = "The token's sub is not a user id. It must be text, not a number, without slashes or control characters."
OTHER_SECRET = f"another secret that is long enough, {PRIVATE}"


def claiming(**changed: Any) -> str:
    """Return a token with some claims changed, correctly signed; a claim of None is left out."""
    claims = claims_of("ada", **{"iss": ISSUER, "aud": AUDIENCE, "name": PRIVATE} | changed)
    return sign(json.dumps(claims))


def from_now(seconds: int) -> int:
    return int(time.time()) + seconds


NOT_JWTS = {
    "a word": PRIVATE,
    "two parts": claiming().rpartition(".")[0],
    "five parts": f"{claiming()}..",
    "padding": f"{claiming()}=",
    "a header that is not JSON": sign(json.dumps(claims_of("ada")), PRIVATE),
    "a payload that is not an object": sign(f'["{PRIVATE}"]'),
}
REFUSED: dict[str, tuple[str, str, str | None]] = {
    **{name: (token, "DecodeError", None) for name, token in NOT_JWTS.items()},
    "another algorithm": (sign("{}", '{"alg":"HS512"}', by="HS512"), "InvalidAlgorithmError", "alg"),
    "no algorithm": (sign("{}", f'{{"typ":"{PRIVATE}"}}'), "InvalidAlgorithmError", "alg"),
    "another secret": (sign(json.dumps(claims_of("ada")), secret=OTHER_SECRET), "InvalidSignatureError", None),
    "a kid that is not text": (sign("{}", '{"alg":"HS256","kid":1}'), "InvalidTokenError", None),
    "expired a moment ago": (claiming(exp=from_now(-1)), "ExpiredSignatureError", "exp"),
    "expired long ago": (claiming(exp=1_700_000_000), "ExpiredSignatureError", "exp"),
    "valid later": (claiming(nbf=from_now(3600)), "ImmatureSignatureError", "nbf"),
    "issued later": (claiming(iat=from_now(3600)), "ImmatureSignatureError", "iat"),
    "no exp": (claiming(exp=None), "MissingRequiredClaimError", "exp"),
    "no sub": (claiming(sub=None), "MissingRequiredClaimError", "sub"),
    "no iss": (claiming(iss=None), "MissingRequiredClaimError", "iss"),
    "no aud": (claiming(aud=None), "MissingRequiredClaimError", "aud"),
    "exp is text": (claiming(exp=f"{PRIVATE}"), "NotATimeError", "exp"),
    "nbf is true": (claiming(nbf=True), "NotATimeError", "nbf"),
    "iat is a list": (claiming(iat=[PRIVATE]), "NotATimeError", "iat"),
    "exp in milliseconds": (claiming(exp=from_now(3600) * 1000), "TimeOutOfRangeError", "exp"),
    "iat in milliseconds": (claiming(iat=from_now(0) * 1000), "TimeOutOfRangeError", "iat"),
    "nbf before all years": (claiming(nbf=-1e20), "TimeOutOfRangeError", "nbf"),
    "sub is a number": (claiming(sub=1), "InvalidSubjectError", "sub"),
    "sub is empty": (claiming(sub=""), "InvalidSubjectError", "sub"),
    "sub has a slash": (claiming(sub=f"{PRIVATE}/x"), "InvalidSubjectError", "sub"),
    "sub is half a character": (claiming(sub="\ud800"), "InvalidSubjectError", "sub"),
    "another issuer": (claiming(iss=f"https://{PRIVATE}"), "InvalidIssuerError", "iss"),
    "another audience": (claiming(aud=[PRIVATE]), "InvalidAudienceError", "aud"),
    "jti is a number": (claiming(jti=1), "InvalidJTIError", "jti"),
}


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service in production that requires an issuer and an audience."""
    settings = {"DATABASE_URL": database, "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, **PRODUCTION}
    with start(tmp_path_factory.mktemp("refusals"), **settings) as service:
        yield service


def send(service: Service, **headers: str) -> tuple[httpx.Response, list[Json]]:
    """Send a request, and return the response and what the service logged about it, without the access log's line."""
    request_id = uuid4().hex
    url = f"{service.url}/api/auth/verify"
    response = httpx.post(url, headers={"X-Request-ID": request_id, **headers})
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        records = [json.loads(line) for line in service.log.read_text().splitlines() if request_id in line]
        if any("duration_ms" in record for record in records):
            return response, [record for record in records if "duration_ms" not in record]
        time.sleep(0.02)
    raise TimeoutError(request_id)


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_token_is_logged_with_the_reason_and_the_claim(service: Service, name: str) -> None:
    token, reason, claim = REFUSED[name]
    response, (record,) = send(service, **bearing(token))
    assert response.status_code == 401
    assert (record["level"], record["reason"], record["claim"]) == ("INFO", reason, claim)
    assert record["request_id"] == response.headers["X-Request-ID"]
    assert record["message"].startswith(f"request {record['request_id']} was rejected: {reason}: The token")
    assert record.keys() == {"time", "level", "logger", "message", "request_id", "reason", "claim"}


def test_the_log_has_nothing_that_a_refused_token_contains(service: Service) -> None:
    for token, _, _ in REFUSED.values():
        send(service, **bearing(token))
    log = service.log.read_text()
    signatures = {token.split(".")[2] for token, _, _ in REFUSED.values() if token.count(".") == 2}
    for private in (PRIVATE, "eyJ", SECRET, *signatures):
        assert private not in log


def test_a_valid_token_and_no_token_are_not_logged_as_refused(service: Service) -> None:
    response, records = send(service, **bearing(claiming()))
    assert (response.status_code, records) == (200, [])
    response, records = send(service)
    assert (response.status_code, records) == (401, [])


DETAILS = {
    **dict.fromkeys(NOT_JWTS, "The token is not a JWT. Is it a Better Auth session token?"),
    "another algorithm": "The token is signed with an algorithm that this server does not accept. It must be HS256.",
    "another secret": "The token was signed with another secret or key, or changed after it was signed.",
    "a kid that is not text": "The token's header has a kid or crit that is not supported.",
    "expired long ago": "The token has expired.",
    "valid later": "The token is not valid yet.",
    "issued later": "The token is not valid yet.",
    "no exp": "The token has no exp.",
    "no sub": "The token has no sub.",
    "no iss": "The token has no iss.",
    "exp is text": "The token's exp is not a number of seconds since 1970.",
    "exp in milliseconds": "The token's exp is out of range. It must be in seconds, not milliseconds.",
    "iat in milliseconds": "The token's iat is out of range. It must be in seconds, not milliseconds.",
    "sub is a number": SUBJECT,
    "sub has a slash": SUBJECT,
    "another issuer": "The token's iss is not the issuer that this server expects.",
    "another audience": "The token's aud does not contain the audience that this server expects.",
    "jti is a number": "The token's jti is not text.",
}


@pytest.mark.parametrize("name", DETAILS)
def test_the_response_says_why_the_token_was_rejected(service: Service, name: str) -> None:
    response, _ = send(service, **bearing(REFUSED[name][0]))
    assert response.json()["detail"] == DETAILS[name]


def test_the_challenge_repeats_the_detail_and_neither_repeats_the_token(service: Service) -> None:
    for token, _, _ in REFUSED.values():
        response, _ = send(service, **bearing(token))
        detail = response.json()["detail"]
        # RFC 6750, section 3: printable ASCII without quotes and backslashes.
        assert re.fullmatch(r"[ !#-\[\]-~]+", detail)
        assert response.headers["WWW-Authenticate"] == f'Bearer error="invalid_token", error_description="{detail}"'
        for private in (PRIVATE, "eyJ", ISSUER, AUDIENCE, SECRET):
            assert private not in detail


def test_the_log_names_reason_and_claim_in_development_too(tmp_path: Path, database: str) -> None:
    with start(tmp_path, DATABASE_URL=database) as service:
        headers = {"X-Request-ID": "mine", **bearing(mint("ada", sub=None))}
        httpx.post(f"{service.url}/api/auth/verify", headers=headers)
        service.stop()
        line = next(line for line in service.log.read_text().splitlines() if "rejected" in line)
    assert line.endswith(" request mine was rejected: MissingRequiredClaimError: The token has no sub.")


KEY, OTHER = signing_key("published"), signing_key("published too", "ES256")


@pytest.fixture(scope="module")
def api(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Yield a service in production that also accepts the tokens of two published keys."""
    with jwks_host() as host:
        host.keys = [KEY.jwk(), OTHER.jwk()]
        with served(tmp_path_factory.mktemp("keys"), host, DATABASE_URL=database, **PRODUCTION) as api:
            yield api


def signed(origin: str, header: Json = None, **changed: Any) -> str:
    """Return a token signed with the first key, with some of its header and claims changed."""
    return KEY.sign("ada", origin, header, **changed)


def without_kid(origin: str) -> str:
    return jwt.encode(claims_of("ada", iss=origin, aud=origin), KEY.private, algorithm=KEY.algorithm)


REFUSED_OF_KEYS: dict[str, tuple[Callable[[str], str], str, str | None]] = {
    "an algorithm of neither": (
        lambda _: sign("{}", '{"alg":"RS512","kid":"published"}'),
        "InvalidAlgorithmError",
        "alg",
    ),
    "an algorithm that is a list": (lambda _: sign("{}", '{"alg":["EdDSA"]}'), "InvalidAlgorithmError", "alg"),
    "a key of another algorithm": (lambda o: signed(o, {"kid": OTHER.kid}), "InvalidAlgorithmError", "alg"),
    "a key that is not published": (lambda o: signing_key(PRIVATE).sign("ada", o), "InvalidKeyError", "kid"),
    "no kid": (without_kid, "InvalidKeyError", "kid"),
    "another key": (lambda o: signing_key("x").sign("ada", o, {"kid": KEY.kid}), "InvalidSignatureError", None),
    "expired": (lambda o: signed(o, exp=from_now(-1)), "ExpiredSignatureError", "exp"),
    "another issuer": (lambda o: signed(o, iss=f"https://{PRIVATE}"), "InvalidIssuerError", "iss"),
    "no audience": (lambda o: signed(o, aud=None), "MissingRequiredClaimError", "aud"),
    "no user id": (lambda o: signed(o, sub="a/b"), "InvalidSubjectError", "sub"),
}


@pytest.mark.parametrize("name", REFUSED_OF_KEYS)
def test_a_refused_token_for_a_published_key_is_logged_too(api: Api, name: str) -> None:
    made, reason, claim = REFUSED_OF_KEYS[name]
    response = api.verify(made(api.host.origin))
    assert response.status_code == 401
    records = [json.loads(line) for line in api.log().splitlines() if response.headers["X-Request-ID"] in line]
    refusals = [(record["reason"], record["claim"]) for record in records if "reason" in record]
    assert refusals == [(reason, claim)]
    assert PRIVATE not in api.log()


@pytest.mark.parametrize("name", ["an algorithm of neither", "a key of another algorithm"])
def test_the_algorithms_of_published_keys_are_named_too(api: Api, name: str) -> None:
    detail = api.verify(REFUSED_OF_KEYS[name][0](api.host.origin)).json()["detail"]
    assert detail.endswith("does not accept. It must be HS256, or that of the key at JWKS_URL that its kid names.")
