"""The ASGI application: Connexion's middleware around the compiled contract, and its lifespan."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from connexion.exceptions import ProblemException
from connexion.lifecycle import ConnexionRequest, ConnexionResponse
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.security import SecurityMiddleware
from connexion.spec import Specification
from starlette.exceptions import HTTPException
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers import __version__
from handlers.config import Settings
from handlers.contract import CONTRACT_FILE, Contract, ContractMiddleware, TagResolver, operations
from handlers.cors import with_cors
from handlers.docs import contract_routes, page_routes
from handlers.lifespan import lifespan
from handlers.logs import RequestLogMiddleware
from handlers.methods import Methods
from handlers.problems import MEDIA_TYPE, Problem, logger, problem_of
from handlers.request_id import RequestIdMiddleware
from handlers.schemas import ContractError, draft4
from handlers.security import BearerSecurity
from handlers.security_headers import SecurityHeadersMiddleware
from storage.database import Database
from storage.errors import Unavailable
from storage.migrations import head

if TYPE_CHECKING:
    from handlers.jwks import KeySet


def create_app(settings: Settings) -> ASGIApp:
    """Return the application. Raises ContractError when contract and handlers disagree; nothing is left for later."""
    contract = Contract(CONTRACT_FILE.read_bytes())
    specification = contract.specification
    database = Database(
        settings.database_url or "",
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        pool_timeout=settings.pool_timeout,
        statement_timeout=settings.statement_timeout,
        prepared_statements=settings.prepared_statements,
    )
    key_set = _key_set(settings.jwks_url) if settings.jwks_url else None
    documents = [*contract_routes(contract), *page_routes()]
    app: ASGIApp = Router(routes=documents, redirect_slashes=False)
    bearer = BearerSecurity(settings, draft4(specification["components"]["schemas"]["UserId"]), key_set)
    app = _operations(app, specification, settings, database, bearer, {route.path for route in documents})
    methods = Methods(
        {route.path: route.methods or () for route in documents}
        | {path: item.keys() - {"parameters"} for path, item in specification["paths"].items()}
    )
    app = _with_problems(_exact(app), methods)
    app = with_cors(app, settings.allowed_origins, specification)
    app = SecurityHeadersMiddleware(app, production=settings.production)
    if settings.metrics_port is not None:
        app = _with_metrics(app)
    app = _named(RequestIdMiddleware(RequestLogMiddleware(app)))
    return LifespanMiddleware(app, lifespan=lifespan(database, key_set, metrics=settings.metrics_port is not None))  # type: ignore[no-any-return]


def _operations(
    app: ASGIApp,
    specification: Specification,
    settings: Settings,
    database: Database,
    bearer: BearerSecurity,
    documents: set[str],
) -> ASGIApp:
    """Wrap `app`, which answers what is not in the contract, in Connexion's middleware."""
    resolver = TagResolver()
    resources = {
        "database": database,
        "settings": settings,
        "version": __version__,
        "newest_revision": head(),
    }
    contract = ContractMiddleware(app)
    contract.add_api(specification, resolver=resolver, resources=resources, body_limit=settings.body_limit)
    if specification["components"]["securitySchemes"].keys() != {"bearerAuth"}:
        raise ContractError("the only security scheme must be bearerAuth")
    security = SecurityMiddleware(contract)
    security.add_api(specification, resolver=resolver, security_map={"bearer": lambda: bearer})
    routing = RoutingMiddleware(_with_route_noted(security, specification, documents))
    routing.add_api(specification, resolver=resolver)
    # The only API is at the root of the paths: that it is mounted there need not be found out for each request.
    (mount,) = routing.router.routes
    routing.router = mount.app
    # A redirect from /tasks/ would repeat whatever the Host header says.
    routing.router.redirect_slashes = False
    return routing  # type: ignore[no-any-return]


def _with_route_noted(app: ASGIApp, specification: Specification, documents: set[str]) -> ASGIApp:
    """Note which operation a request is for, by its id and its path template, for logs and metrics."""
    noted_of = {
        TagResolver.name_of(operation): {"operation_id": operation["operationId"], "route": path}
        for path, _, operation in operations(specification)
    }

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        resolved = scope["extensions"]["connexion_routing"]["operation_id"]
        if resolved is not None:
            scope["state"] |= noted_of[resolved]
        elif scope["path"] in documents:
            scope["state"]["route"] = scope["path"]
        await app(scope, receive, send)

    return noted


def _key_set(url: str) -> "KeySet":
    from handlers.jwks import KeySet

    return KeySet(url)


def _with_metrics(app: ASGIApp) -> ASGIApp:
    from handlers.metrics import MetricsMiddleware

    return MetricsMiddleware(app)


def _exact(app: ASGIApp) -> ASGIApp:
    async def exact(scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette's patterns end in `$`, which lets a line feed pass, and are for a decoded path, in which an encoded
        # slash would separate (RFC 3986, section 2.2, says that it does not).
        if scope["type"] == "http" and ("\n" in scope["path"] or b"%2f" in scope["raw_path"].lower()):
            raise HTTPException(404)
        await app(scope, receive, send)

    return exact


def _with_problems(app: ASGIApp, methods: Methods) -> ASGIApp:
    exceptions = ExceptionMiddleware(app)
    for kind in (Exception, HTTPException, ProblemException):
        exceptions.add_exception_handler(kind, _exception_handler(methods))
    return exceptions  # type: ignore[no-any-return]


def _exception_handler(methods: Methods) -> Callable[[ConnexionRequest, Exception], Awaitable[ConnexionResponse]]:
    async def answer(request: ConnexionRequest, error: Exception) -> ConnexionResponse:
        request_id = request.scope["state"]["request_id"]
        if isinstance(error, HTTPException) and error.status_code == 405:
            allow = {"Allow": methods.allow(request.scope["path"])}
            if request.method == "OPTIONS":
                return ConnexionResponse(204, headers=allow)
            error = Problem(405, f"This path takes {allow['Allow']}.", headers=allow)
        problem = problem_of(error)
        if problem.status == 500:
            logger.error("request %s failed", request_id, exc_info=error, extra={"request_id": request_id})
        elif isinstance(error, Unavailable):
            logger.warning("request %s found no database: %s", request_id, error, extra={"request_id": request_id})
        headers = dict(problem.headers)
        return ConnexionResponse(
            problem.status, mimetype=MEDIA_TYPE, body=problem.document(request_id), headers=headers
        )

    return answer


def _named(app: ASGIApp) -> ASGIApp:
    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette's routers raise, instead of answering in plain text, when the scope names an application.
        scope["app"] = named
        await app(scope, receive, send)

    return named
