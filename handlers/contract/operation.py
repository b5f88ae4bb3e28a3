"""One operation of the contract, compiled at startup: authenticate, validate, call the handler, send its response."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from connexion.operations import AbstractOperation
from starlette.types import Receive, Scope, Send

from handlers.authentication.principal import Principal
from handlers.contract.body import ClientDisconnected, RequestBody, read_to_end
from handlers.contract.errors import ContractError, listed
from handlers.contract.fingerprint import IDEMPOTENCY_KEY, fingerprint
from handlers.contract.parameters import Parameters
from handlers.contract.read_only import parameters_by_member
from handlers.contract.resolver import Handler
from handlers.contract.security import needs_token
from handlers.responses.problems import RETRY_AFTER, Problem, invalid_input
from handlers.responses.response import Response
from handlers.responses.state import request_state, service_state

# RFC 9110, section 9.2.1.
_SAFE = ("GET", "HEAD", "OPTIONS")

Authenticate = Callable[[Iterable[tuple[bytes, bytes]]], Principal | Awaitable[Principal]]
"""Returns the user that a request's headers name, as an awaitable if a key must be fetched. Raises Problem."""


class Operation:
    """An ASGI application that serves one operation. It expects the path's parameters in the scope's `path_params`."""

    def __init__(
        self,
        operation: AbstractOperation,
        handler: Handler,
        *,
        authenticate: Authenticate,
        resources: Mapping[str, Any],
        body_limit: int,
    ) -> None:
        """Compile an operation. Raises ContractError if contract and handler disagree.

        `resources` are objects that a handler can take by name, in addition to its declared parameters; `body_limit` is
        in bytes.
        """
        self.operation_id: str = operation.operation_id.rpartition(".")[2]
        self.route: str = operation.path
        self._handler = handler
        self._authenticate = authenticate if needs_token(operation) else None
        # Connexion has no accessor for extensions.
        at_least_one = operation._operation.get("x-at-least-one", ())
        self._parameters = Parameters(operation.parameters, at_least_one)
        body = operation.request_body
        in_path = parameters_by_member(self.route)
        self._body = RequestBody(body, body_limit, in_path) if body else None
        self._body_limit = body_limit
        self._has_effect = operation.method.upper() not in _SAFE
        self._owned = "user_id" in self._parameters.arguments
        taken = set(inspect.signature(handler).parameters)
        self._resources = {name: value for name, value in resources.items() if name in taken}
        self._takes_principal = "principal" in taken
        self._takes_request_id = "request_id" in taken
        self._takes_fingerprint = "fingerprint" in taken
        declared = self._parameters.arguments | ({"body"} if self._body else set())
        offered = {*resources, "principal", "request_id", "fingerprint"}
        _check_signature(operation.operation_id, taken, declared, offered)
        if self._takes_fingerprint and IDEMPOTENCY_KEY not in declared:
            raise ContractError(
                f"{operation.operation_id} takes a fingerprint, but the contract has no Idempotency-Key"
            )
        if (self._owned or self._takes_principal) and self._authenticate is None:
            raise ContractError(f"{operation.operation_id} is for a user, but the contract does not require a token")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises Problem, and the errors of storage; middleware translates both."""
        state = request_state(scope)
        state.operation_id, state.route = self.operation_id, self.route
        if self._authenticate is not None:
            principal = self._authenticate(scope["headers"])
            state.principal = principal if isinstance(principal, dict) else await principal
        if self._owned:
            if scope["path_params"]["user_id"] != _user_id(state.principal):
                raise Problem(403, "The token is for a different user than the path.")
            service_state(scope["state"]).in_use.set()
        try:
            response = await self._call_handler(scope, receive, state.principal)
        except ClientDisconnected:
            return
        try:
            await response(scope, receive, send)
        except asyncio.CancelledError:
            if state.status is not None:
                raise
            raise Problem(503, "The server is shutting down.", headers=RETRY_AFTER) from None

    async def _call_handler(self, scope: Scope, receive: Receive, principal: Principal | None) -> Response:
        try:
            arguments = await self._arguments(scope, receive)
            if self._takes_principal:
                arguments["principal"] = principal
            if self._takes_request_id:
                arguments["request_id"] = request_state(scope).request_id
            return await self._handler(**arguments, **self._resources)
        except asyncio.CancelledError:
            # Some time after it begins to stop, uvicorn cancels the requests that are still running.
            raise Problem(503, "The server is shutting down.", headers=RETRY_AFTER) from None

    async def _arguments(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        arguments, errors = self._parameters.read(scope)
        content = b""
        if self._body is not None:
            arguments["body"], body_errors, content = await self._body.read(scope, receive)
            errors += body_errors
        elif self._has_effect:
            errors += await read_to_end(receive, self._body_limit)
        if errors:
            raise invalid_input(errors)
        if self._takes_fingerprint:
            is_needed = arguments[IDEMPOTENCY_KEY] is not None
            arguments["fingerprint"] = fingerprint(self.operation_id, scope, content) if is_needed else None
        return arguments


def _user_id(principal: Principal | None) -> str | None:
    return None if principal is None else principal["user_id"]


def _check_signature(name: str, taken: set[str], declared: set[str], offered: set[str]) -> None:
    if ambiguous := declared & offered:
        raise ContractError(f"{name} gets {listed(ambiguous)} from the server, so no parameter can have that name")
    if missing := declared - taken:
        raise ContractError(f"{name} does not take {listed(missing)}, which the contract declares")
    if unknown := taken - declared - offered:
        raise ContractError(f"{name} takes {listed(unknown)}, which the contract does not declare")
