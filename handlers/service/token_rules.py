"""The rules for tokens that follow from the settings and from the contract."""

from functools import cache
from typing import TYPE_CHECKING

from handlers.authentication.rules import Rules
from handlers.settings.settings import Settings
from handlers.settings.web_url import origin_of

if TYPE_CHECKING:
    from handlers.contract.validator import Validator


def rules_of(settings: Settings) -> Rules:
    """Return the rules that these settings make for tokens."""
    return Rules(
        secret=settings.secret,
        algorithm=settings.jwt_algorithm,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        jwks_origin=origin_of(settings.jwks_url or ""),
    )


@cache
def user_ids() -> "Validator":
    """Return the validator of the contract's user ids. It loads the contract, which most commands do not need."""
    from handlers.contract.document import CONTRACT_FILE, Contract

    return Contract(CONTRACT_FILE.read_bytes()).validator("UserId")
