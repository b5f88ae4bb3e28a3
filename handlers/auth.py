"""The tag `auth`: whom a token speaks for."""

from handlers.authentication.principal import Principal
from handlers.resources.revisions import PRIVATE
from handlers.responses.response import JSON, Response


async def verify_token(principal: Principal) -> Response:
    """Return what the verified token says."""
    return JSON({"valid": True, **principal}, headers=PRIVATE)
