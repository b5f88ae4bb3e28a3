"""Checks of the claims of a token whose signature is verified, and the user that they name."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.exceptions import InvalidSubjectError

from handlers.authentication.principal import Principal
from handlers.authentication.refusals import NotATimeError, TimeOutOfRangeError, TokenRefused
from handlers.authentication.rules import LEEWAY_SECONDS

_LONGEST_EMAIL = 320
_LONGEST_NAME = 500


def principal_of(claims: Mapping[str, Any], is_user_id: Callable[[str], bool]) -> Principal:
    """Return the user that the claims name; they must include `exp` and `sub`. Raises TokenRefused.

    `iat`, `nbf` and `exp` are checked here and not by PyJWT, which accepts text as a number, accepts a token after its
    `exp`, and does not report whether `iat` or `nbf` is in the future.
    """
    issued_at = _past(claims, "iat")
    _past(claims, "nbf")
    expires_at = _time(claims["exp"], "exp")
    check_expiry(expires_at)
    user_id = _text(claims["sub"])
    if user_id is None or not is_user_id(user_id):
        raise TokenRefused(InvalidSubjectError, "sub")
    return {
        "user_id": user_id,
        "email": _text(claims.get("email"), _LONGEST_EMAIL),
        "name": _text(claims.get("name"), _LONGEST_NAME),
        "issued_at": issued_at,
        "expires_at": expires_at,
    }


def check_expiry(expires_at: datetime) -> None:
    """Raise TokenRefused if this time has passed."""
    if expires_at.timestamp() <= time.time():
        raise TokenRefused(jwt.ExpiredSignatureError, "exp")


def _past(claims: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time that must not be in the future, or None if the claim is missing. Raises TokenRefused."""
    if name not in claims:
        return None
    moment = _time(claims[name], name)
    if moment.timestamp() > time.time() + LEEWAY_SECONDS:
        raise TokenRefused(jwt.ImmatureSignatureError, name)
    return moment


def _time(claim: Any, name: str) -> datetime:
    """Return a NumericDate (RFC 7519, section 2) as a time. Raises TokenRefused."""
    if not _is_number(claim):
        raise TokenRefused(NotATimeError, name)
    try:
        return datetime.fromtimestamp(claim, UTC)
    except (ValueError, OverflowError, OSError):
        raise TokenRefused(TimeOutOfRangeError, name) from None


def _is_number(claim: Any) -> bool:
    # JSON's true is an int in Python, and Python's parser accepts Infinity and NaN.
    return isinstance(claim, int | float) and not isinstance(claim, bool) and abs(claim) < math.inf


def _text(claim: Any, longest: int | None = None) -> str | None:
    """Return a claim if it is text that UTF-8 can encode, else None: JSON allows lone surrogates."""
    if not isinstance(claim, str) or (longest is not None and len(claim) > longest):
        return None
    try:
        claim.encode()
    except UnicodeEncodeError:
        return None
    return claim
