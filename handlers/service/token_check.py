"""`todo-api doctor --token`: why this server rejects a token, or for which user and until when it is valid.

The check uses the server's own verification. It never shows the token or the secret.
"""

import asyncio
import string
import warnings
from datetime import UTC, datetime, timedelta

import jwt

from handlers.authentication.bearer import BearerSecurity, FindKey
from handlers.authentication.jwks import JwksError, fetch_keys
from handlers.authentication.principal import Principal
from handlers.authentication.refusals import TokenRefused
from handlers.service.findings import Verdict
from handlers.service.request_head import TOO_LARGE, is_too_large
from handlers.service.token_advice import advice_on, shown, written
from handlers.service.token_rules import rules_of, user_ids
from handlers.settings.settings import Settings

_FAR_AWAY = timedelta(days=366)


def check_token(given: str, settings: Settings) -> Verdict:
    """Return the verdict on the token in `given`, which may have blanks and line breaks around it."""
    token = given.strip(string.whitespace)
    if not token:
        return "fault", (
            "Standard input has no token: pipe it in, as in `todo-api token ada | todo-api doctor --token` "
            "(Docker needs `run -i`)."
        )
    if is_too_large(len(token)):
        return "fault", f"The token is too large: the head of a request {TOO_LARGE}."
    status, words = _verdict(token, settings)
    if token == given.removesuffix("\n").removesuffix("\r"):
        return status, words
    around = "Remove the blanks and line breaks around the token: some clients do not send them."
    return "advice" if status == "ok" else status, f"{words} {around}"


def _verdict(token: str, settings: Settings) -> Verdict:
    rules = rules_of(settings)
    bearer = BearerSecurity(rules, user_ids().is_valid, _finder(settings.jwks_url) if settings.jwks_url else None)
    try:
        # The check of the secret already reports a secret that is too short.
        with warnings.catch_warnings(action="ignore", category=jwt.InsecureKeyLengthWarning):
            principal = asyncio.run(_verified(bearer, token))
    except TokenRefused as refusal:
        return "fault", f"{refusal.explanation} {advice_on(refusal, token, rules)}".rstrip()
    except JwksError as error:
        return "fault", f"The key that the token names cannot be fetched: JWKS_URL {error}."
    return _valid(principal)


def _finder(url: str) -> FindKey:
    async def find(kid: str) -> jwt.PyJWK | None:
        return (await fetch_keys(url)).get(kid)

    return find


async def _verified(bearer: BearerSecurity, token: str) -> Principal:
    principal = bearer.verify(token)
    return principal if isinstance(principal, dict) else await principal


def _valid(principal: Principal) -> Verdict:
    expires_at = principal["expires_at"]
    words = f"Valid for the user {shown(principal['user_id'])} until {written(expires_at)}"
    if expires_at - datetime.now(UTC) < _FAR_AWAY:
        return "ok", f"{words}."
    return "advice", f"{words}, more than a year from now. Tokens cannot be revoked: let them last minutes, not days."
