"""Which operations need a bearer token, as the contract says."""

import logging
from typing import Any

from connexion.middleware.security import SecurityAPI, SecurityMiddleware
from connexion.operations import AbstractOperation
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.authentication.bearer import BearerSecurity
from handlers.authentication.refusals import TokenRefused
from handlers.contract.schemas import ContractError

_logger = logging.getLogger(__name__)


class _BearerOperation:
    """An operation that needs a token; the principal is put in the scope's state."""

    def __init__(self, app: ASGIApp, bearer: BearerSecurity) -> None:
        self._app = app
        self._bearer = bearer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            principal = self._bearer.principal_of(scope["headers"])
            scope["state"]["principal"] = principal if isinstance(principal, dict) else await principal
        except TokenRefused as refusal:
            _log(refusal, scope["state"]["request_id"])
            raise
        await self._app(scope, receive, send)


def _log(refusal: TokenRefused, request_id: str) -> None:
    added = {"request_id": request_id, "reason": refusal.reason, "claim": refusal.claim}
    _logger.info("request %s was refused, %s: %s", request_id, refusal.reason, refusal.explanation, extra=added)


class BearerAPI(SecurityAPI):  # type: ignore[misc]  # Connexion has no types
    """Secures each operation as the contract says, without the request that Connexion makes for any kind of scheme."""

    def __init__(self, *args: Any, bearer: BearerSecurity, **options: Any) -> None:
        """`bearer` verifies the tokens; the rest is Connexion's."""
        self._bearer = bearer
        super().__init__(*args, **options)

    def make_operation(self, operation: AbstractOperation) -> ASGIApp:
        """Return an operation behind what it needs. Raises ContractError for any other security."""
        if operation.security not in ([], [{"bearerAuth": []}]):
            raise ContractError(f"the security of {operation.operation_id} must be bearerAuth or none")
        next_app: ASGIApp = self.next_app
        return _BearerOperation(next_app, self._bearer) if operation.security else next_app


class BearerMiddleware(SecurityMiddleware):  # type: ignore[misc]  # Connexion has no types
    """Connexion's security middleware, for bearer tokens only."""

    api_cls = BearerAPI
