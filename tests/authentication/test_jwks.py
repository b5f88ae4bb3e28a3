"""Tokens of Better Auth's jwt() plugin: which ones are valid, and which key at JWKS_URL verifies them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.better_auth import better_auth, needs_node
from tests.support.client import claims_of, mint
from tests.support.jwks import (
    ADA,
    MINUTE,
    Api,
    JwksHost,
    SigningKey,
    forged,
    jwks_host,
    served,
    signing_key,
)
from tests.support.jws import base64url
from tests.support.server import SECRET

ALGORITHMS = ["EdDSA", "ES256", "RS256"]
ED, EC, RSA = (signing_key(f"one {algorithm}", algorithm) for algorithm in ALGORITHMS)
KEYS = pytest.mark.parametrize("key", [ED, EC, RSA], ids=ALGORITHMS)


@pytest.fixture
def api(shared: Api) -> Api:
    """Return that service; it knows one key for each algorithm."""
    shared.reset()
    shared.publish(ED, EC, RSA)
    return shared


@pytest.fixture(scope="module")
def early(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Yield a service that starts before the host of its JWKS_URL."""
    with served(tmp_path_factory.mktemp("early"), JwksHost(), DATABASE_URL=database) as api:
        yield api


@needs_node
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_the_real_plugin_names_its_user(early: Api, algorithm: str) -> None:
    assert early.verify(mint(ADA)).status_code == 200
    assert early.status(signing_key("unknown")) == 503
    early.clock.put_forward(MINUTE)
    port = early.host.origin.rpartition(":")[2]
    with better_auth(PORT=port, JWT_ALG=algorithm) as frontend, httpx.Client(base_url=frontend) as page:
        ada = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
        user = page.post("/api/auth/sign-up/email", json=ada).json()["user"]
        token = page.get("/api/auth/token").json()["token"]
        principal = early.verify(token).json()
    early.clock.put_forward(MINUTE)
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert (principal["user_id"], principal["email"], principal["name"]) == (user["id"], "ada@example.com", "Ada")
    headers = {"Authorization": f"Bearer {token}"}
    assert early.http.get(f"/api/{user['id']}/tasks", headers=headers).json()["tasks"] == []
    assert early.http.get("/api/grace/tasks", headers=headers).status_code == 403


@KEYS
def test_a_token_is_verified_with_the_key_that_it_names(api: Api, key: SigningKey) -> None:
    other = signing_key(f"other {key.algorithm}", key.algorithm)
    api.publish(key, other)
    assert (api.status(key), api.status(other)) == (200, 200)
    assert api.status(key, {"kid": other.kid}) == 401
    assert api.status(key, {"kid": "unknown"}) == 401
    claims = claims_of(ADA, iss=api.host.origin, aud=api.host.origin)
    assert api.verify(jwt.encode(claims, key.private, algorithm=key.algorithm)).status_code == 401


def test_times_and_subject_follow_the_rules_for_all_tokens(api: Api) -> None:
    now = int(time.time())
    assert api.verify(ED.sign(ADA, api.host.origin, exp=now - 1)).json()["detail"] == "The token has expired."
    assert api.verify(ED.sign(ADA, api.host.origin, nbf=now + 60)).json()["detail"] == "The token is not valid yet."
    for claim, value in [("exp", None), ("sub", None), ("sub", ""), ("sub", "a/b"), ("exp", 1e308)]:
        assert api.status(ED, None, **{claim: value}) == 401, (claim, value)


@pytest.mark.parametrize("claim", ["iss", "aud"])
def test_issuer_and_audience_must_be_the_origin_of_the_url(api: Api, claim: str) -> None:
    origin = api.host.origin
    wrong = ["https://evil.example.com", f"{origin}/", f"{origin}/api/auth", origin.upper(), "", None, 1, {origin: 1}]
    for value in wrong:
        assert api.status(ED, None, **{claim: value}) == 401, value
    # An audience may be a list (RFC 7519, section 4.1.3), an issuer not.
    assert api.status(ED, None, **{claim: ["another", origin]}) == (200 if claim == "aud" else 401)


def test_a_configured_issuer_and_audience_apply_to_every_token(tmp_path: Path, database: str) -> None:
    issuer, audience = "https://app.example.com", "todo-api"
    with jwks_host() as host:
        host.keys = [ED.jwk()]
        with served(tmp_path, host, JWT_ISSUER=issuer, JWT_AUDIENCE=audience, DATABASE_URL=database) as api:
            assert api.status(ED, iss=issuer, aud=audience) == 200
            assert api.verify(mint(ADA, iss=issuer, aud=audience)).status_code == 200
            for wrong in ({}, {"iss": issuer}, {"aud": audience}):
                assert api.status(ED, None, **wrong) == 401
                assert api.verify(mint(ADA, **wrong)).status_code == 401


@KEYS
def test_a_public_key_is_not_used_as_a_secret_nor_the_secret_as_a_public_key(api: Api, key: SigningKey) -> None:
    public = key.private.public_key()
    contents = [public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo) for form in (Encoding.PEM, Encoding.DER)]
    if key is ED:
        contents.append(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    claims = claims_of(ADA, iss=api.host.origin, aud=api.host.origin)
    for content in (*contents, contents[0].strip(), json.dumps(key.jwk()).encode(), SECRET.encode(), b""):
        for named in ("HS256", key.algorithm, "none"):
            status = api.verify(forged({"alg": named, "kid": key.kid}, claims, content)).status_code
            # A token that names HS256 and is signed with the secret is valid, whichever key it names.
            assert status == (200 if (content, named) == (SECRET.encode(), "HS256") else 401), (content, named)


@KEYS
def test_the_key_decides_the_algorithm_and_not_the_token(api: Api, key: SigningKey) -> None:
    _, claims, signature = key.sign(ADA, api.host.origin).split(".")
    named: list[Any] = [*ALGORITHMS, "RS512", "PS256", "HS256", "HS384", "none", "", None, ["EdDSA"], {}]
    for algorithm in named:
        if algorithm != key.algorithm:
            header = base64url(json.dumps({"alg": algorithm, "kid": key.kid}).encode())
            assert api.verify(f"{header}.{claims}.{signature}").status_code == 401, algorithm


def test_an_rsa_key_is_used_with_one_algorithm(api: Api) -> None:
    claims = claims_of(ADA, iss=api.host.origin, aud=api.host.origin)
    for algorithm in ("RS384", "RS512", "PS256"):
        token = jwt.encode(claims, RSA.private, algorithm=algorithm, headers={"kid": RSA.kid})
        assert api.verify(token).status_code == 401, algorithm


def test_a_key_inside_the_token_is_not_used(api: Api) -> None:
    own = signing_key("own")
    with jwks_host() as elsewhere:
        elsewhere.keys = [own.jwk(), own.jwk(kid=ED.kid)]
        for header in ({"jwk": own.jwk()}, {"jku": elsewhere.url}, {"x5u": elsewhere.url}):
            for kid in (own.kid, ED.kid, elsewhere.url):
                assert api.status(own, {"kid": kid} | header) == 401, header
        assert elsewhere.fetches == 0


PUBLISHED = b"not a secret, because it is published by the host"
UNUSABLE: list[tuple[SigningKey, dict[str, Any]]] = [
    (signing_key("weak", "RS256", bits=1024), {}),
    (ED, {"use": "enc"}),
    (ED, {"key_ops": ["sign"]}),
    (ED, {"key_ops": "verify"}),
    (ED, {"alg": "ES256"}),
    (ED, {"alg": 1}),
    (ED, {"crv": "X25519"}),
    (ED, {"kty": "AKP"}),
    (ED, {"kty": ["OKP"]}),
    (ED, {"kty": None}),
    (ED, {"x": None}),
    (ED, {"x": "AAAA"}),
    (ED, {"x": 1}),
    (ED, {"d": ED.jwk()["x"]}),
    (ED, {"kty": "oct", "alg": "HS256", "k": base64url(PUBLISHED)}),
    (EC, {"crv": "P-384"}),
    (EC, {"alg": "ECDH-ES"}),
    (EC, {"y": EC.jwk()["x"]}),
    (EC, {"y": None}),
    (EC, {"d": "AAAA"}),
    (RSA, {"alg": "RS512"}),
    (RSA, {"alg": "RSA-OAEP"}),
    (RSA, {"n": None}),
    (RSA, {"e": "AA"}),
    (RSA, {"d": "AAAA"}),
]


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")
def test_unusable_keys_are_skipped_and_the_others_are_used(api: Api) -> None:
    good = signing_key("good")
    jwks = [key.jwk(kid=f"unusable {number}", **changed) for number, (key, changed) in enumerate(UNUSABLE)]
    api.host.keys = [None, 1, "key", [], {}, good.jwk(kid=1), good.jwk(kid=["x"]), *jwks, good.jwk(use="sig")]
    assert api.status(good, {"kid": "unknown"}) == 401
    assert api.status(good) == 200
    claims = claims_of(ADA, iss=api.host.origin, aud=api.host.origin)
    for number, (key, changed) in enumerate(UNUSABLE):
        assert api.status(key, {"kid": f"unusable {number}"}) == 401, changed
        for named in ("HS256", key.algorithm):
            token = forged({"alg": named, "kid": f"unusable {number}"}, claims, PUBLISHED)
            assert api.verify(token).status_code == 401, changed


def test_optional_members_of_a_key_may_be_missing(api: Api) -> None:
    key = signing_key("bare")
    api.host.keys = [{name: value for name, value in key.jwk().items() if name in ("kid", "kty", "crv", "x")}]
    assert api.status(key) == 200
