"""bearerAuth: from a token to whom it speaks for. Nothing else."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

import jwt
from connexion.lifecycle import ConnexionRequest
from connexion.security import NO_VALUE

from handlers.config import LEEWAY_SECONDS, Settings
from handlers.problems import Problem, invalid_input, unauthorized
from handlers.schemas import Validator

_LONGEST_EMAIL = 320
_LONGEST_NAME = 500


class Principal(TypedDict):
    """Whom a valid token speaks for, and for how long."""

    user_id: str
    email: str | None
    name: str | None
    issued_at: datetime | None
    expires_at: datetime


class BearerSecurity:
    """Connexion's security handler for `type: http, scheme: bearer` (RFC 6750)."""

    def __init__(self, settings: Settings, user_id_schema: Mapping[str, Any]) -> None:
        """`user_id_schema` is what the contract says of `{user_id}`; a `sub` must be so, too."""
        self._key = settings.secret.encode()
        self._algorithm = settings.jwt_algorithm
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._is_user_id = Validator(user_id_schema).is_valid

    def get_fn(self, *_: object) -> Callable[[ConnexionRequest], Any]:
        """Return what Connexion calls with each request."""
        return self._principal_of

    def _principal_of(self, request: ConnexionRequest) -> Any:
        headers = request.headers.getlist("authorization")
        if not headers:
            return NO_VALUE
        if len(headers) > 1:
            raise invalid_input(
                [{"in": "header", "name": "Authorization", "detail": "must not be given more than once"}]
            )
        scheme, _, token = headers[0].partition(" ")
        if scheme.lower() != "bearer":
            return NO_VALUE
        return self.verify(token.strip())

    def verify(self, token: str) -> Principal:
        """Return whom a JWT (RFC 7519) speaks for. Raises Problem 401."""
        if "=" in token:
            # PyJWT takes padding; base64url in a JWS has none (RFC 7515, section 2).
            raise _invalid("The token is not valid.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={
                    "require": ["exp", "sub"],
                    "verify_iss": self._issuer is not None,
                    "verify_aud": self._audience is not None,
                },
            )
            return self._principal(claims)
        except jwt.ExpiredSignatureError:
            raise _invalid("The token has expired.") from None
        except jwt.ImmatureSignatureError:
            raise _invalid("The token is not valid yet.") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise _invalid("The token is not valid.") from None

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        user_id = _text(claims["sub"])
        if user_id is None or not self._is_user_id(user_id):
            raise ValueError("sub")
        _time(claims.get("nbf"))
        expires_at = _time(claims["exp"])
        if expires_at is None:
            raise ValueError("exp")
        # PyJWT grants its leeway to exp as well.
        if expires_at.timestamp() <= time.time():
            raise jwt.ExpiredSignatureError
        return {
            "user_id": user_id,
            "email": _text(claims.get("email"), _LONGEST_EMAIL),
            "name": _text(claims.get("name"), _LONGEST_NAME),
            "issued_at": _time(claims.get("iat")),
            "expires_at": expires_at,
        }


def _invalid(detail: str) -> Problem:
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
