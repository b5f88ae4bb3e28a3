"""Which operation of the contract a request is for."""

import re
from collections.abc import Collection
from typing import Any

from connexion.middleware.abstract import ROUTING_CONTEXT
from connexion.middleware.routing import RoutingMiddleware
from connexion.spec import Specification
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.contract.operation import TagResolver, operations


class Routing(RoutingMiddleware):  # type: ignore[misc]  # Connexion has no types
    """Connexion's routes, each path tried once, without the scopes that Starlette's router makes on its way.

    The operation's id and its path template are put in the scope's state, for logs and metrics.
    """

    def __init__(self, app: ASGIApp, documents: Collection[str]) -> None:
        """`documents` are paths that are not in the contract; they are no operations."""
        super().__init__(app)
        self._documents = documents
        self._paths: dict[re.Pattern[str], dict[str, str]] = {}

    def add_api(self, specification: Specification, *args: Any, **options: Any) -> None:
        """Take the routes that Connexion makes of the specification."""
        super().add_api(specification, *args, **options)
        (mount,) = self.router.routes
        for route in mount.app.routes:
            resolved = dict.fromkeys(route.methods, route.endpoint.operation_id)
            self._paths.setdefault(route.path_regex, {}).update(resolved)
        self._noted = {
            TagResolver.name_of(operation): {"operation_id": operation["operationId"], "route": path}
            for path, _, operation in operations(specification)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the operation in the scope, as Connexion does, and pass the request on. Raises HTTPException 405."""
        if scope["type"] == "http":
            operation_id = self._find(scope)
            routed = {"api_base_path": "", "operation_id": operation_id}
            scope.setdefault("extensions", {})[ROUTING_CONTEXT] = routed
            if operation_id is not None:
                scope["state"] |= self._noted[operation_id]
            elif scope["path"] in self._documents:
                scope["state"]["route"] = scope["path"]
        await self.app(scope, receive, send)

    def _find(self, scope: Scope) -> str | None:
        path, is_known = scope["path"], False
        for pattern, methods in self._paths.items():
            if found := pattern.match(path):
                is_known = True
                if operation_id := methods.get(scope["method"]):
                    scope["path_params"] = found.groupdict()
                    return operation_id
        if is_known:
            raise HTTPException(405)
        return None
