"""The tag `auth`: who a token speaks for."""

from handlers.contract import Answer
from handlers.resources import PRIVATE
from handlers.security import Principal


async def verify_token(principal: Principal) -> Answer:
    """Answer with what the verified token says."""
    return {"valid": True, **principal}, 200, PRIVATE
