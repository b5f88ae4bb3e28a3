"""The contract as an ASGI application: Connexion reads the operations and their routes, once."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from connexion.middleware.routing import RoutingAPI
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.contract.errors import ContractError
from handlers.contract.operation import Operation
from handlers.contract.resolver import TagResolver, check_modules
from handlers.contract.security import check_scheme
from handlers.responses.state import request_state


class Routing:
    """Passes a request to the operation that it is for; any other path is for the application inside.

    Connexion makes the routes. Its own middleware for routing, security and validation would each read all operations
    once more, copy the scope, and look the operation up again for each request.
    """

    def __init__(
        self, app: ASGIApp, specification: Specification, documents: Collection[str], **compile_with: Any
    ) -> None:
        """Compile all operations; `compile_with` are `Operation`'s arguments.

        `documents` are paths that `app` serves, for the logs. Raises ContractError where contract and handlers
        disagree.
        """
        self._app = app
        self._documents = documents
        check_scheme(specification)
        check_modules(specification)
        self._paths: dict[re.Pattern[str], dict[str, Operation]] = {}
        for route in _OperationsAPI(specification, app, compile_with).router.routes:
            self._paths.setdefault(route.path_regex, {}).update(dict.fromkeys(route.methods, route.endpoint))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Raises HTTPException 405."""
        operation = self._find(scope) if scope["type"] == "http" else None
        if operation is None:
            await self._app(scope, receive, send)
        else:
            await operation(scope, receive, send)

    def _find(self, scope: Scope) -> Operation | None:
        path, is_known = scope["path"], False
        for pattern, operations in self._paths.items():
            if found := pattern.match(path):
                is_known = True
                if operation := operations.get(scope["method"]):
                    scope["path_params"] = found.groupdict()
                    return operation
        if is_known:
            raise HTTPException(405)
        if path in self._documents:
            request_state(scope).route = path
        return None


class _OperationsAPI(RoutingAPI):  # type: ignore[misc]  # Connexion has no types
    """Connexion's routes, each of which leads to a compiled operation."""

    def __init__(self, specification: Specification, app: ASGIApp, compile_with: Mapping[str, Any]) -> None:
        self._compile_with = compile_with
        super().__init__(specification, next_app=app, resolver=TagResolver())

    def make_operation(self, operation: AbstractOperation) -> Operation:
        """Compile one operation. Raises ContractError that names it."""
        try:
            return Operation(operation, **self._compile_with)
        except ContractError as error:
            raise ContractError(f"{operation.method.upper()} {operation.path}: {error}") from error

    def _handle_add_operation_error(self, _path: str, _method: str, exc: Exception) -> None:
        # Connexion's own also logs the error, which the command reports.
        raise exc
