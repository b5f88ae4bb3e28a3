"""Advice on how to correct a rejected token.

This module reads the token without verifying it, only to show what is wrong with it.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import jwt
from jwt.exceptions import InvalidSubjectError

from handlers.authentication.refusals import NotATimeError, TimeOutOfRangeError, TokenRefused
from handlers.authentication.rules import PUBLIC_KEY_ALGORITHMS, Rules, is_for_public_key
from handlers.service.token_rules import user_ids

_LONGEST_SHOWN = 100


def advice_on(refusal: TokenRefused, token: str, rules: Rules) -> str:
    """Return sentences that say what is wrong with a token and how to correct it, or "" if there is nothing to add.

    They show some of its claims, but neither the token itself nor the secret.
    """
    advise = _ADVICE.get(refusal.error)
    return advise(_Refused(token, refusal.claim or "", rules)) if advise else ""


def shown(value: Any) -> str:
    """Return a value of a token as ASCII that no terminal interprets, cut off if it is long."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def written(moment: datetime | float) -> str:
    """Return a time, or a NumericDate (RFC 7519, section 2), to the second in UTC."""
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


class _Refused(NamedTuple):
    """A rejected token, and the claim or header parameter that is wrong."""

    token: str
    claim: str
    rules: Rules

    @property
    def header(self) -> dict[str, Any]:
        return jwt.get_unverified_header(self.token)

    @property
    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(self.token, options={"verify_signature": False})
        return claims


def _shape(refused: _Refused) -> str:
    token, parts = refused.token, refused.token.count(".") + 1
    if token.lower().startswith("bearer "):
        return "It begins with the word Bearer: pass only the token."
    if re.search(r"\s", token):
        return "It contains a blank or a line break."
    if token[0] in "\"'`":
        return "It is in quotes: pass it without them."
    if parts == 5:
        return "It has 5 parts instead of 3, like an encrypted token (JWE): this server accepts only signed ones."
    if parts != 3:
        number = "1 part" if parts == 1 else f"{parts} parts"
        return (
            f"It has {number} instead of 3. Is it a Better Auth session token? "
            "Such a token is for the frontend's server, which mints JWTs for this one."
        )
    if "=" in token:
        return "It has padding (=), which is not allowed in a JWT (RFC 7515, section 2)."
    return "Its parts are not JSON in Base64url: was it copied completely?"


def _algorithm(refused: _Refused) -> str:
    header, rules = refused.header, refused.rules
    is_public = is_for_public_key(header)
    has = f"has the alg {shown(header['alg'])}" if "alg" in header else "has no alg"
    if is_public and rules.jwks_origin:
        return f"Its header {has}, and the key that its kid names is for another algorithm."
    more = ""
    if rules.jwks_origin:
        more = f", and {', '.join(map(shown, sorted(PUBLIC_KEY_ALGORITHMS)))} with a key of JWKS_URL"
    elif is_public:
        more = ". To accept tokens of Better Auth's jwt() plugin, set JWKS_URL"
    return f"Its header {has}; this server accepts {shown(rules.algorithm)} (JWT_ALGORITHM){more}."


def _signature(refused: _Refused) -> str:
    if refused.header["alg"] != refused.rules.algorithm:
        return "It was not signed by the key of JWKS_URL that its kid names: does another app use the same key id?"
    return (
        "The frontend must sign with this server's BETTER_AUTH_SECRET, as raw text: check it for a line break at its "
        "end, quotes or Base64."
    )


def _key(refused: _Refused) -> str:
    header = refused.header
    if "kid" not in header:
        return "Its header has no kid to identify the key of JWKS_URL that signed it."
    return f"It is {shown(header['kid'])}, and JWKS_URL has no usable key with this id: is it another app's token?"


def _expired(refused: _Refused) -> str:
    expired_at, now = written(refused.claims["exp"]), written(datetime.now(UTC))
    return (
        f"It expired at {expired_at}, and it is now {now} on this machine: mint a new one. "
        "If it is new, synchronise the clocks with NTP."
    )


def _immature(refused: _Refused) -> str:
    valid_from, now = written(refused.claims[refused.claim]), written(datetime.now(UTC))
    return f"Its {refused.claim} is {valid_from}, and it is now {now} on this machine: synchronise the clocks with NTP."


def _missing(refused: _Refused) -> str:
    match refused.claim:
        case "exp":
            return 'Set it, for example with .setExpirationTime("15m") in jose.'
        case "sub":
            return (
                "Set it to the user's id, for example with .setSubject(id) in jose. "
                "Tokens that Better Auth signs for its own use, such as for links in e-mails, have no sub."
            )
    return _expected(refused)


def _expected(refused: _Refused) -> str:
    claim, claims, rules = refused.claim, refused.claims, refused.rules
    issuer, audience = rules.expected(refused.header["alg"])
    expected, setting, value = {
        "iss": (issuer, "JWT_ISSUER", rules.issuer),
        "aud": (audience, "JWT_AUDIENCE", rules.audience),
    }[claim]
    given = shown(claims[claim]) if claim in claims else "missing"
    source = setting if value else "the origin of JWKS_URL"
    return f"Its {claim} is {given}; this server expects {shown(expected)} ({source})."


def _subject(refused: _Refused) -> str:
    sub = refused.claims["sub"]
    if not isinstance(sub, str):
        words = "must be text"
    elif sub.encode(errors="replace").decode() != sub:
        words = "must be valid Unicode"
    else:
        ((_, words), *_) = user_ids().errors(sub, most=1)
    return f"It is {shown(sub)}, and {words}."


def _not_a_time(refused: _Refused) -> str:
    return f"It is {shown(refused.claims[refused.claim])}: write a JSON number, such as 1700000000."


def _out_of_range(refused: _Refused) -> str:
    given = shown(refused.claims[refused.claim])
    return f"It is {given}: write seconds, not milliseconds, for example Math.floor(Date.now() / 1000)."


_ADVICE: dict[type[Exception], Callable[[_Refused], str]] = {
    jwt.DecodeError: _shape,
    jwt.InvalidAlgorithmError: _algorithm,
    jwt.InvalidSignatureError: _signature,
    jwt.InvalidKeyError: _key,
    jwt.ExpiredSignatureError: _expired,
    jwt.ImmatureSignatureError: _immature,
    jwt.MissingRequiredClaimError: _missing,
    jwt.InvalidIssuerError: _expected,
    jwt.InvalidAudienceError: _expected,
    InvalidSubjectError: _subject,
    NotATimeError: _not_a_time,
    TimeOutOfRangeError: _out_of_range,
}
