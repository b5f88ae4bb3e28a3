"""bearerAuth: from a token to whom it speaks for. Nothing else."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import jwt

from handlers.contract.schemas import Validator
from handlers.responses.problems import Problem, invalid_input, unauthorized
from handlers.settings.settings import LEEWAY_SECONDS, Settings
from handlers.settings.web_url import origin_of

if TYPE_CHECKING:
    from handlers.authentication.jwks import KeySet

_LONGEST_EMAIL = 320
_LONGEST_NAME = 500
# Of up to 4 KB each; who sends longer ones has each verified.
_MOST_TOKENS = 1024
_LONGEST_KEPT = 4096
# What is wrong with a token may come up as any of these.
_FAULTS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class Principal(TypedDict):
    """Whom a valid token speaks for, and for how long."""

    user_id: str
    email: str | None
    name: str | None
    issued_at: datetime | None
    expires_at: datetime


class _Expected(NamedTuple):
    """What `iss` and `aud` must be; None where they may be anything."""

    issuer: str | None
    audience: str | None


class BearerSecurity:
    """The security handler for `type: http, scheme: bearer` (RFC 6750).

    Every key is bound to one algorithm, so that none is ever used by another family's (RFC 8725, section 3.1).
    """

    def __init__(self, settings: Settings, user_id_schema: Mapping[str, Any], key_set: "KeySet | None") -> None:
        """`user_id_schema` is what the contract says of `{user_id}`; a `sub` must be so, too.

        `key_set` has the public keys of those tokens that the secret has not signed.
        """
        self._secret = _secret_key(settings.secret, settings.jwt_algorithm)
        self._key_set = key_set
        self._expected = _Expected(settings.jwt_issuer, settings.jwt_audience)
        # Better Auth's jwt() plugin names its own origin as both.
        origin = origin_of(settings.jwks_url or "")
        self._expected_by_default = _Expected(settings.jwt_issuer or origin, settings.jwt_audience or origin)
        self._is_user_id = Validator(user_id_schema).is_valid
        # What the secret has signed cannot be revoked: verified once, it is valid until its `exp`, whoever sends it. To
        # verify it anew took 76 of a request's 241 µs. Nothing is kept of a token that is refused, or signed with a key
        # that may be withdrawn.
        self._by_secret = lru_cache(_MOST_TOKENS)(self._verify_by_secret)

    def principal_of(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal | Awaitable[Principal]:
        """Return whom a request speaks for, by its headers, as `verify` does. Raises Problem 400 and 401."""
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) > 1:
            raise invalid_input(
                [{"in": "header", "name": "Authorization", "detail": "must not be given more than once"}]
            )
        scheme, _, token = given[0].decode("latin-1").partition(" ") if given else ("", "", "")
        if scheme.lower() != "bearer":
            raise unauthorized("A bearer token is required.")
        return self.verify(token.strip(" "))

    def verify(self, token: str) -> Principal | Awaitable[Principal]:
        """Return whom a JWT (RFC 7519) speaks for, to be awaited where a public key is needed. Raises Problem 401."""
        try:
            by_secret = self._by_secret if len(token) <= _LONGEST_KEPT else self._verify_by_secret
            return _unexpired(by_secret(token))
        except jwt.InvalidAlgorithmError as error:
            if self._key_set is None:
                raise _refusal(error) from None
            return self._verify_by(self._key_set, token)
        except _FAULTS as error:
            raise _refusal(error) from None

    def _verify_by_secret(self, token: str) -> Principal:
        return self._principal(token, self._secret, self._expected)

    async def _verify_by(self, key_set: "KeySet", token: str) -> Principal:
        """Return whom a token speaks for that is signed with a private key. Raises Problem 401, or 503."""
        try:
            header = jwt.get_unverified_header(token)
            is_usable = header.get("alg") in key_set.algorithms and "kid" in header
            key = await key_set.find(header["kid"]) if is_usable else None
            if key is None:
                raise jwt.InvalidKeyError
            return _unexpired(self._principal(token, key, self._expected_by_default))
        except _FAULTS as error:
            raise _refusal(error) from None

    def _principal(self, token: str, key: jwt.PyJWK, expected: _Expected) -> Principal:
        if "=" in token:
            # PyJWT takes padding; base64url in a JWS has none (RFC 7515, section 2).
            raise jwt.DecodeError
        claims = jwt.decode(
            token,
            key,
            issuer=expected.issuer,
            audience=expected.audience,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["exp", "sub"],
                "verify_iss": expected.issuer is not None,
                "verify_aud": expected.audience is not None,
            },
        )
        user_id = _text(claims["sub"])
        if user_id is None or not self._is_user_id(user_id):
            raise ValueError("sub")
        _time(claims.get("nbf"))
        expires_at = _time(claims["exp"])
        if expires_at is None:
            raise ValueError("exp")
        return {
            "user_id": user_id,
            "email": _text(claims.get("email"), _LONGEST_EMAIL),
            "name": _text(claims.get("name"), _LONGEST_NAME),
            "issued_at": _time(claims.get("iat")),
            "expires_at": expires_at,
        }


def _secret_key(secret: str, algorithm: str) -> jwt.PyJWK:
    """Return the secret as a key of one algorithm (RFC 7518, section 6.4); the settings have refused public keys."""
    return jwt.PyJWK({"kty": "oct", "k": urlsafe_b64encode(secret.encode()).decode()}, algorithm)


def _unexpired(principal: Principal) -> Principal:
    """Return the principal. Raises ExpiredSignatureError: PyJWT grants its leeway to `exp` as well."""
    if principal["expires_at"].timestamp() <= time.time():
        raise jwt.ExpiredSignatureError
    return principal


def _refusal(error: Exception) -> Problem:
    """Return the 401 for what is wrong with a token."""
    match error:
        case jwt.ExpiredSignatureError():
            detail = "The token has expired."
        case jwt.ImmatureSignatureError():
            detail = "The token is not valid yet."
        case _:
            detail = "The token is not valid."
    return unauthorized(detail, error="invalid_token")


def _text(claim: Any, longest: int | None = None) -> str | None:
    """Return a claim that is text which can be written as UTF-8, else None: JSON allows lone surrogates."""
    if not isinstance(claim, str) or (longest is not None and len(claim) > longest):
        return None
    try:
        claim.encode()
    except UnicodeEncodeError:
        return None
    return claim


def _time(claim: Any) -> datetime | None:
    """Return a NumericDate (RFC 7519, section 2). Raises ValueError or OverflowError for what is none."""
    if claim is None:
        return None
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        raise ValueError("NumericDate")
    return datetime.fromtimestamp(claim, UTC)
