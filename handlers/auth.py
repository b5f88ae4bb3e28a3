"""The tag `auth`: who a token speaks for."""

from handlers.authentication.principal import Principal
from handlers.contract.operation import Answer
from handlers.resources.tasks import PRIVATE


async def verify_token(principal: Principal) -> Answer:
    """Answer with what the verified token says."""
    return {"valid": True, **principal}, 200, PRIVATE
