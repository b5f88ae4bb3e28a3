"""The public keys of Better Auth's `jwt()` plugin: a JWK set (RFC 7517), fetched, kept and refreshed."""

import asyncio
import logging
import math
import ssl
import time
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWTError

from handlers.authentication.rules import PUBLIC_KEY_ALGORITHMS
from handlers.responses.problems import Problem

logger = logging.getLogger(__name__)

Keys = dict[str, PyJWK]
"""Public keys by `kid`, each bound to its algorithm."""

_TIMEOUT_SECONDS = 3.0
_MOST_BYTES = 512 * 1024
_MOST_KEYS = 500
_FEWEST_RSA_BITS = 2048
# After a successful fetch, and after a failed one.
_REFRESH_SECONDS = 300.0
_RETRY_SECONDS = 60.0
# Between fetches for unknown keys, so that made-up ids cannot cause more of them.
_SEARCH_SECONDS = 60.0
# Keys that are overdue for a refresh by more than this are fetched before they are used.
_IDLE_SECONDS = 300.0


class JwksError(Exception):
    """The key set cannot be fetched. The message says why, as the rest of a sentence about the URL."""


async def fetch_keys(url: str) -> Keys:
    """Return the keys at a URL that can verify tokens. Raises JwksError.

    Redirects are not followed: the URL names the only host whose keys are trusted.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            # Without TLS, a proxy that the environment names could replace the keys.
            httpx.AsyncClient(verify=_trusted(), trust_env=_has_tls(url), timeout=_TIMEOUT_SECONDS) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise JwksError(f"responds with status {response.status_code}, not 200")
            return usable_keys(await _content(response))
    except (TimeoutError, httpx.TimeoutException):
        raise JwksError(f"does not respond within {_TIMEOUT_SECONDS:.0f} s") from None
    # An impossible host name is a ValueError; a proxy that the environment names may be a ValueError or an ImportError.
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        raise JwksError(f"does not respond: {str(error) or type(error).__name__}") from None


@cache
def _trusted() -> ssl.SSLContext:
    """Return the trusted certificate authorities, cached: loading them takes as long as many requests."""
    return httpx.create_ssl_context()


def _has_tls(url: str) -> bool:
    return urlsplit(url).scheme == "https"


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise JwksError(f"responds with more than {_MOST_BYTES // 1024} KiB")
    return bytes(content)


def usable_keys(content: bytes) -> Keys:
    """Return the keys of a JWK set (RFC 7517, section 5) that can verify tokens; other keys are skipped.

    Raises JwksError for content that is not a JWK set, and for a set that is too large.
    """
    try:
        jwks = orjson.loads(content)["keys"]
    except (ValueError, TypeError, KeyError):
        jwks = None
    if not isinstance(jwks, list):
        raise JwksError("responds with something other than a JWK set")
    if len(jwks) > _MOST_KEYS:
        raise JwksError(f"responds with more than {_MOST_KEYS} keys")
    return {jwk["kid"]: key for jwk in jwks if (key := _usable(jwk)) is not None}


def _usable(jwk: Any) -> PyJWK | None:
    algorithm = _algorithm(jwk)
    if algorithm is None or not _is_for_signatures(jwk, algorithm):
        return None
    try:
        key = PyJWK(jwk, algorithm)
    except (PyJWTError, KeyError, TypeError, ValueError):
        return None
    is_weak = isinstance(key.key, RSAPublicKey) and key.key.key_size < _FEWEST_RSA_BITS
    return None if is_weak else key


def _algorithm(jwk: Any) -> str | None:
    """Return the only algorithm that a key may be used with (RFC 8725, section 3.1), whatever a token says."""
    match jwk:
        case {"kty": "OKP", "crv": "Ed25519"}:
            return "EdDSA"
        case {"kty": "EC", "crv": "P-256"}:
            return "ES256"
        case {"kty": "RSA"}:
            return "RS256"
    return None


def _is_for_signatures(jwk: dict[str, Any], algorithm: str) -> bool:
    """Return whether a key has a `kid`, is public, and does not exclude verifying signatures of this algorithm."""
    operations = jwk.get("key_ops")
    return (
        isinstance(jwk.get("kid"), str)
        and "d" not in jwk
        and jwk.get("alg") in (None, algorithm)
        and jwk.get("use") in (None, "sig")
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


class KeySet:
    """The keys at a URL, as one worker knows them. The keys of the last successful fetch stay valid until the next."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Keys = {}
        self._fetching: asyncio.Task[None] | None = None
        self._failed = False
        # By the monotonic clock.
        self._refresh_at = 0.0
        self._search_at = 0.0

    def begin_fetch(self) -> asyncio.Task[None]:
        """Start to fetch the keys in the background, unless a fetch is running. The task raises nothing."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def find(self, kid: str) -> PyJWK | None:
        """Return the key with this id, or None if the set has none.

        Raises Problem with status 503 for an unknown key while the set cannot be fetched.
        """
        now = time.monotonic()
        if kid not in self._keys:
            await self._search(now)
        elif now >= self._refresh_at + _IDLE_SECONDS:
            await asyncio.shield(self.begin_fetch())
        elif now >= self._refresh_at:
            self.begin_fetch()
        key = self._keys.get(kid)
        if key is None and self._failed:
            seconds = max(1, math.ceil(self._search_at - time.monotonic()))
            raise Problem(503, "The token's key cannot be fetched.", headers={"Retry-After": str(seconds)})
        return key

    async def _search(self, now: float) -> None:
        """Fetch the set for an unknown key, at most once in _SEARCH_SECONDS, or wait for the fetch that is running."""
        if now >= self._search_at:
            self._search_at = now + _SEARCH_SECONDS
            self.begin_fetch()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            self._keys = await fetch_keys(self._url)
        except JwksError as error:
            self._failed = True
            self._refresh_at = time.monotonic() + _RETRY_SECONDS
            logger.warning("JWKS_URL %s; the %d known keys stay valid", error, len(self._keys))
        else:
            self._failed = False
            self._refresh_at = time.monotonic() + _REFRESH_SECONDS
            if not self._keys:
                logger.warning("JWKS_URL has no key for %s", ", ".join(sorted(PUBLIC_KEY_ALGORITHMS)))
