"""The keys that Better Auth's `jwt()` plugin signs with: a JWK set (RFC 7517), fetched, kept and renewed."""

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
# After a good answer, and after none.
_REFRESH_SECONDS = 300.0
_RETRY_SECONDS = 60.0
# Between fetches for keys that are not known: whoever makes up ids cannot have more of them made.
_SEARCH_SECONDS = 60.0
# A key that nobody has looked after for this much longer is not used before the set has been asked.
_IDLE_SECONDS = 300.0


class JwksError(Exception):
    """There is no key set to be had. The message says why, as the rest of a sentence about the URL."""


async def fetch_keys(url: str) -> Keys:
    """Return the keys at a URL that can verify a signature of ours. Raises JwksError.

    A redirect is not followed: the URL names the only host whose keys are trusted.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            # Without TLS, a proxy that the environment names could change the keys.
            httpx.AsyncClient(verify=_trusted(), trust_env=_has_tls(url), timeout=_TIMEOUT_SECONDS) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise JwksError(f"answers {response.status_code}, not 200")
            return usable_keys(await _content(response))
    except (TimeoutError, httpx.TimeoutException):
        raise JwksError(f"does not answer within {_TIMEOUT_SECONDS:.0f} s") from None
    # A name of a host that cannot be is a ValueError, a proxy that the environment names that or an ImportError.
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        raise JwksError(f"does not answer: {str(error) or type(error).__name__}") from None


@cache
def _trusted() -> ssl.SSLContext:
    """Return the authorities that are trusted: to load them takes as long as many requests."""
    return httpx.create_ssl_context()


def _has_tls(url: str) -> bool:
    return urlsplit(url).scheme == "https"


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise JwksError(f"answers with more than {_MOST_BYTES // 1024} KiB")
    return bytes(content)


def usable_keys(content: bytes) -> Keys:
    """Return what can verify a signature of ours in a JWK set (RFC 7517, section 5); any other key is passed over.

    Raises JwksError for what is no set, or a set that is too large.
    """
    try:
        jwks = orjson.loads(content)["keys"]
    except (ValueError, TypeError, KeyError):
        jwks = None
    if not isinstance(jwks, list):
        raise JwksError("answers with something else than a JWK set")
    if len(jwks) > _MOST_KEYS:
        raise JwksError(f"answers with more than {_MOST_KEYS} keys")
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
    """Return the only algorithm that a key is for (RFC 8725, section 3.1), whatever a token says."""
    match jwk:
        case {"kty": "OKP", "crv": "Ed25519"}:
            return "EdDSA"
        case {"kty": "EC", "crv": "P-256"}:
            return "ES256"
        case {"kty": "RSA"}:
            return "RS256"
    return None


def _is_for_signatures(jwk: dict[str, Any], algorithm: str) -> bool:
    """Say whether a key has a `kid`, is public, and says nothing against verifying a signature by this algorithm."""
    operations = jwk.get("key_ops")
    return (
        isinstance(jwk.get("kid"), str)
        and "d" not in jwk
        and jwk.get("alg") in (None, algorithm)
        and jwk.get("use") in (None, "sig")
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


class KeySet:
    """The keys at a URL, as far as one worker knows them; those of the last good answer hold until the next one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Keys = {}
        self._fetching: asyncio.Task[None] | None = None
        self._failed = False
        # By the monotonic clock.
        self._refresh_at = 0.0
        self._search_at = 0.0

    def begin_fetch(self) -> asyncio.Task[None]:
        """Fetch the keys in the background, if that is not being done already. The task does not fail."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def find(self, kid: str) -> PyJWK | None:
        """Return the key of this id, or None where the set has none. Raises Problem 503 where that cannot be known."""
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
            raise Problem(503, "The key of the token cannot be fetched.", headers={"Retry-After": str(seconds)})
        return key

    async def _search(self, now: float) -> None:
        """Have the set fetched for a key that is not known, or wait for a fetch that is under way."""
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
            logger.warning("JWKS_URL %s; the %d keys that are known stay valid", error, len(self._keys))
        else:
            self._failed = False
            self._refresh_at = time.monotonic() + _REFRESH_SECONDS
            if not self._keys:
                logger.warning("JWKS_URL has no key for %s", ", ".join(sorted(PUBLIC_KEY_ALGORITHMS)))
