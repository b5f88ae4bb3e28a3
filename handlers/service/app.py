"""The ASGI application: Connexion's middleware around the compiled contract, and its lifespan."""

from typing import TYPE_CHECKING

from connexion.middleware.lifespan import LifespanMiddleware
from connexion.spec import Specification
from starlette.exceptions import HTTPException
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers import __version__
from handlers.authentication.bearer import BearerSecurity
from handlers.contract.operation import CONTRACT_FILE, Contract, ContractMiddleware, TagResolver
from handlers.contract.routing import Routing
from handlers.contract.schemas import ContractError, Validator, draft4
from handlers.contract.security import BearerMiddleware
from handlers.documentation.routes import contract_routes, page_routes
from handlers.middleware.cors import with_cors
from handlers.middleware.errors import ExceptionMiddleware
from handlers.middleware.methods import Methods
from handlers.middleware.request_id import RequestIdMiddleware
from handlers.middleware.security_headers import SecurityHeadersMiddleware
from handlers.service.lifespan import lifespan
from handlers.service.token_rules import rules_of
from handlers.settings.settings import Settings
from handlers.telemetry.logs import RequestLogMiddleware
from storage.administration.migrations import head
from storage.driver.database import Database

if TYPE_CHECKING:
    from handlers.authentication.jwks import KeySet


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
    is_user_id = Validator(draft4(specification["components"]["schemas"]["UserId"])).is_valid
    bearer = BearerSecurity(rules_of(settings), is_user_id, key_set.find if key_set else None)
    app = _operations(app, specification, settings, database, bearer, {route.path for route in documents})
    methods = Methods(
        {route.path: route.methods or () for route in documents}
        | {path: item.keys() - {"parameters"} for path, item in specification["paths"].items()}
    )
    app = ExceptionMiddleware(_exact(app), methods)
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
    security = BearerMiddleware(contract)
    security.add_api(specification, resolver=resolver, bearer=bearer)
    routing = Routing(security, documents)
    routing.add_api(specification, resolver=resolver)
    return routing


def _key_set(url: str) -> "KeySet":
    from handlers.authentication.jwks import KeySet

    return KeySet(url)


def _with_metrics(app: ASGIApp) -> ASGIApp:
    from handlers.telemetry.metrics import MetricsMiddleware

    return MetricsMiddleware(app)


def _exact(app: ASGIApp) -> ASGIApp:
    async def exact(scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette's patterns end in `$`, which lets a line feed pass, and are for a decoded path, in which an encoded
        # slash would separate (RFC 3986, section 2.2, says that it does not).
        if scope["type"] == "http" and ("\n" in scope["path"] or b"%2f" in scope["raw_path"].lower()):
            raise HTTPException(404)
        await app(scope, receive, send)

    return exact


def _named(app: ASGIApp) -> ASGIApp:
    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette's routers raise, instead of answering in plain text, when the scope names an application.
        scope["app"] = named
        await app(scope, receive, send)

    return named
