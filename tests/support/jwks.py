"""A host that publishes a JWK set chosen by a test, keys that sign tokens, and a service that trusts the host."""

import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt import PyJWS
from jwt.algorithms import get_default_algorithms

from tests.support.client import claims_of
from tests.support.jws import base64url
from tests.support.server import ROOT, free_port, start

Jwk = dict[str, Any]
Answer = Callable[[BaseHTTPRequestHandler], None]
ADA = "ada"
MINUTE = 61
"""Seconds after which the service may again fetch the keys for an unknown key id: just over a minute."""
_jws = PyJWS()


class SigningKey(NamedTuple):
    """A private key, its id and its algorithm."""

    kid: str
    algorithm: str
    private: Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

    def jwk(self, **changed: Any) -> Jwk:
        """Return the public key as Better Auth publishes it, with some members changed."""
        written = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return {"alg": self.algorithm, **written, "key_ops": None, "kid": self.kid} | changed

    def sign(self, user_id: str, origin: str, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """Return a token as Better Auth's jwt() plugin signs it, with parts of the header and some claims changed."""
        claims = claims_of(user_id, **{"iss": origin, "aud": origin} | changed)
        headers = {"kid": self.kid} | (header or {})
        # PyJWT's own `encode` rejects some of the invalid tokens that the tests need.
        return _jws.encode(json.dumps(claims).encode(), self.private, algorithm=self.algorithm, headers=headers)


@cache
def signing_key(kid: str, algorithm: str = "EdDSA", bits: int = 2048) -> SigningKey:
    """Return a key, always the same one for the same arguments."""
    if algorithm == "EdDSA":
        return SigningKey(kid, algorithm, Ed25519PrivateKey.generate())
    if algorithm == "ES256":
        return SigningKey(kid, algorithm, generate_ec(SECP256R1()))
    return SigningKey(kid, algorithm, generate_rsa(public_exponent=65537, key_size=bits))


def forged(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """Return a token with an HMAC of `key` (SHA-256) in place of its signature."""
    message = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{message}.{base64url(hmac.digest(key, message.encode(), 'sha256'))}"


class JwksHost:
    """A host that responds with its keys, or by calling `answer` if a test sets it; `fetches` counts the requests."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.answer: Answer | None = None
        self.fetches = 0
        self._port = free_port()
        self.origin = f"http://127.0.0.1:{self._port}"
        self.url = f"{self.origin}/api/auth/jwks"
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Start listening, always on the same port."""
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.fetches += 1
                (host.answer or host.publish)(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def publish(self, request: BaseHTTPRequestHandler) -> None:
        """Respond with the keys."""
        send(request, json.dumps({"keys": self.keys}).encode())


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Send a response. Underscores in the names of headers become hyphens."""
    request.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def jwks_host() -> Iterator[JwksHost]:
    """Run a host in this process."""
    host = JwksHost()
    host.start()
    try:
        yield host
    finally:
        host.stop()


_SITECUSTOMIZE = """
import sys
import time

real = time.monotonic

def monotonic():
    # Only for the module that fetches keys: the connection pool would consider its connections too old.
    caller = sys._getframe(1).f_globals.get("__name__")
    return real() + (int(open(AHEAD).read()) if caller == "handlers.authentication.jwks" else 0)

time.monotonic = monotonic
"""


class Clock:
    """Advances the clock by which a service's keys age, so that tests need not wait for minutes."""

    def __init__(self, directory: Path) -> None:
        self._ahead = directory / "ahead"
        self._ahead.write_text("0")
        # Python imports a module of this name at startup.
        (directory / "sitecustomize.py").write_text(_SITECUSTOMIZE.replace("AHEAD", repr(str(self._ahead))))
        self.settings = {"PYTHONPATH": f"{directory}:{ROOT}"}

    def put_forward(self, seconds: int) -> None:
        """Advance the clock by this many seconds."""
        part = self._ahead.with_suffix(".part")
        part.write_text(str(int(self._ahead.read_text()) + seconds))
        part.rename(self._ahead)


class Api:
    """A service whose JWKS_URL points to a host that a test controls."""

    def __init__(self, url: str, host: JwksHost, clock: Clock, log: Path) -> None:
        self.host, self.clock, self._log = host, clock, log
        self.http = httpx.Client(base_url=url, timeout=20)

    def verify(self, token: str) -> httpx.Response:
        """Send a token to the operation that verifies it, and return the response."""
        return self.http.post("/api/auth/verify", headers={"Authorization": f"Bearer {token}"})

    def status(self, key: SigningKey, header: dict[str, Any] | None = None, **claims: Any) -> int:
        """Return the status of the response to a token for Ada signed with this key."""
        return self.verify(key.sign(ADA, self.host.origin, header, **claims)).status_code

    def publish(self, *keys: SigningKey) -> None:
        """Make the host publish only these keys (and one to force a fetch), and the service fetch them."""
        unknown = signing_key(uuid4().hex)
        self.host.keys = [key.jwk() for key in (*keys, unknown)]
        assert self.status(unknown) == 200
        self.clock.put_forward(MINUTE)

    def log(self) -> str:
        """Return the log of the service so far."""
        return self._log.read_text()

    def reset(self) -> None:
        """Restore the host's initial behaviour, and advance the clock by a minute."""
        self.host.answer = None
        self.host.stop()
        self.host.start()
        self.clock.put_forward(MINUTE)


@contextmanager
def served(directory: Path, host: JwksHost, **settings: str) -> Iterator[Api]:
    """Run a service that trusts a host's keys."""
    clock = Clock(directory)
    with start(directory, JWKS_URL=host.url, **clock.settings, **settings) as service:
        api = Api(service.url, host, clock, service.log)
        with api.http:
            yield api


@contextmanager
def service_with_host(directory: Path, database: str) -> Iterator[Api]:
    """Run a host, and a service that trusts its keys."""
    with jwks_host() as host, served(directory, host, DATABASE_URL=database) as api:
        yield api
