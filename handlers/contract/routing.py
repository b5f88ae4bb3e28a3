"""The contract as an ASGI application: Connexion reads the operations and their routes, once."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from connexion.middleware.routing import RoutingAPI
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.contract.errors import ContractError
from handlers.contract.operation import Operation
from handlers.contract.resolver import TagResolver, check_functions, check_handler, check_modules
from handlers.contract.security import check_scheme
from handlers.responses.state import request_state


class Routing:
    """Passes a request to its operation, or to the inner application if the path is not in the contract.

    Connexion creates the routes. Its own middleware for routing, security and validation would each read all operations
    once more, copy the scope, and look the operation up again for each request.
    """

    def __init__(
        self, app: ASGIApp, specification: Specification, documents: Collection[str], **compile_with: Any
    ) -> None:
        """Compile all operations; `compile_with` are keyword arguments of `Operation`.

        `documents` are the paths of `app` to name in the logs. Raises ContractError if contract and handlers disagree.
        """
        self._app = app
        self._documents = documents
        check_scheme(specification)
        check_modules(specification)
        # By the number of slashes, which no parameter contains, so that a request is matched against a few paths only.
        self._paths: dict[int, dict[re.Pattern[str], dict[str, Operation]]] = defaultdict(dict)
        routes = _Routes(specification, next_app=app, resolver=TagResolver(specification)).router.routes
        # OpenAPI 3.0.3, section 4.7.8.1: a path with fewer templates is matched first.
        for route in sorted(routes, key=lambda route: route.path.count("{")):
            operation = _compile(route.endpoint, compile_with)
            paths = self._paths[route.path.count("/")]
            paths.setdefault(route.path_regex, {}).update(dict.fromkeys(route.methods, operation))
        check_functions(specification)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Raises HTTPException 404 and 405."""
        operation = self._find(scope) if scope["type"] == "http" else None
        if operation is None:
            await self._app(scope, receive, send)
        else:
            await operation(scope, receive, send)

    def _find(self, scope: Scope) -> Operation | None:
        path = scope["path"]
        _check_path(path, scope["raw_path"])
        for pattern, operations in self._paths.get(path.count("/"), {}).items():
            if found := pattern.match(path):
                if operation := operations.get(scope["method"]):
                    scope["path_params"] = found.groupdict()
                    return operation
                raise HTTPException(405)
        if path in self._documents:
            request_state(scope).route = path
        # With an application in the scope, Starlette's routers raise HTTPException instead of sending plain text.
        scope["app"] = self
        return None


def _check_path(path: str, raw_path: bytes) -> None:
    """Raise HTTPException 404 for a path that routes would match by mistake.

    Starlette's patterns end in `$`, which matches before a trailing line feed. They are matched against the decoded
    path, in which an encoded slash would separate segments (RFC 3986, section 2.2, says that it does not).
    """
    if "\n" in path or b"%2f" in raw_path.lower():
        raise HTTPException(404)


class _Routes(RoutingAPI):  # type: ignore[misc]  # Connexion has no types
    """Connexion's routes. The endpoint of each is an operation as Connexion parsed it."""

    def make_operation(self, operation: AbstractOperation) -> AbstractOperation:
        """Return the operation: it is compiled afterwards, because Connexion would also log an error raised here."""
        return operation


def _compile(operation: AbstractOperation, compile_with: Mapping[str, Any]) -> Operation:
    handler = check_handler(operation.function, operation.operation_id)
    try:
        return Operation(operation, handler, **compile_with)
    except ContractError as error:
        raise ContractError(f"{operation.method.upper()} {operation.path}: {error}") from error
