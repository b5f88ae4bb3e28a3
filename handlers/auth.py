"""The tag `auth`: which user a token represents."""

from handlers.authentication.principal import Principal
from handlers.resources.revisions import PRIVATE
from handlers.responses.response import JSON, Response


async def verify_token(principal: Principal) -> Response:
    """Return the user that the verified token names, and how long it is valid."""
    return JSON({"valid": True, **principal}, headers=PRIVATE)
