"""The ASGI application: the compiled contract, and the wrapper around it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.routing import Router
from starlette.types import ASGIApp

from handlers import __version__
from handlers.authentication.bearer import BearerSecurity
from handlers.authentication.minting import mint
from handlers.contract.document import CONTRACT_FILE, Contract
from handlers.contract.operation import Authenticate
from handlers.contract.routing import Routing
from handlers.documentation.routes import contract_routes, page_routes
from handlers.jobs import jobs_of
from handlers.middleware.cors import Cors
from handlers.middleware.errors import Errors
from handlers.middleware.methods import Methods
from handlers.middleware.request_id import add_request_id
from handlers.middleware.security_headers import SecurityHeaders, security_headers
from handlers.middleware.wrapper import OnResponse, Wrapper
from handlers.resources.cursors import Cursors
from handlers.responses.state import ServiceState
from handlers.service.connections import most_connections
from handlers.service.failures import Failures
from handlers.service.lifespan import lifespan
from handlers.service.token_rules import rules_of
from handlers.settings.database_url import is_local
from handlers.settings.settings import Settings
from storage.administration.migrations import head
from storage.driver.database import Database
from storage.watchers import Watchers

if TYPE_CHECKING:
    from handlers.authentication.jwks import KeySet

# A client that sends no more than this gets its response on a connection that stays open.
_REST_LIMIT = 1024 * 1024
_DEMO_SECONDS = 86400


def create_app(settings: Settings) -> ASGIApp:
    """Return the application. Raises ContractError if contract and handlers disagree.

    All operations are compiled here, so an application that starts can serve each of them.
    """
    contract = Contract(CONTRACT_FILE.read_bytes())
    database = _database(settings)
    watchers = _watchers(settings, database)
    key_set = _key_set(settings.jwks_url) if settings.jwks_url else None
    headers = security_headers(production=settings.production)
    state = ServiceState(headers, max(settings.body_limit, _REST_LIMIT), settings.shutdown_delay)
    documents = [*contract_routes(contract), *page_routes(_mint_demo(settings))]
    document_methods = {route.path: route.methods or set() for route in documents}
    jobs = jobs_of(trash_days=settings.trash_retention_days, key_days=settings.idempotency_retention_days)
    running = lifespan(database, watchers, key_set, state, jobs, metrics=settings.metrics_port is not None)
    routing = Routing(
        Router(documents, redirect_slashes=False, lifespan=running),
        specification=contract.specification,
        documents=document_methods,
        authenticate=_authenticate(settings, contract, key_set),
        resources=_resources(settings, database, watchers, state),
        body_limit=settings.body_limit,
    )
    cors = Cors(routing, origins=settings.allowed_origins, **contract.vocabulary()._asdict())
    return Wrapper(
        cors,
        on_response=[cors.add, SecurityHeaders(state.headers).add, add_request_id, *_metrics(settings)],
        errors=Errors(Methods(contract.paths() | document_methods), Failures(database, _count_failure(settings)).add),
    )


def _database(settings: Settings) -> Database:
    return Database(
        settings.database_url or "",
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        pool_timeout=settings.pool_timeout,
        statement_timeout=settings.statement_timeout,
        prepared_statements=settings.prepared_statements,
    )


def _watchers(settings: Settings, database: Database) -> Watchers:
    # Streams are never idle. If they had all connections, nobody else would be served.
    most = min(settings.events_per_worker, most_connections(settings.pool_max_size) * 2 // 3)
    watchers = Watchers(database, per_user=settings.events_per_user, per_worker=most)
    if settings.metrics_port is not None:
        from handlers.telemetry.metrics import count_catches, observe_announcement_delay

        watchers.on_catch = count_catches
        database.announcements.on_delay = observe_announcement_delay
    return watchers


def _resources(settings: Settings, database: Database, watchers: Watchers, state: ServiceState) -> dict[str, Any]:
    """Return the resources that handlers can take by name."""
    return {
        "database": database,
        "watchers": watchers,
        "count_event": _count_event(settings),
        "cursors": Cursors(settings.secret),
        "version": __version__,
        "newest_revision": head(),
        "service": state,
    }


def _authenticate(settings: Settings, contract: Contract, key_set: "KeySet | None") -> Authenticate:
    find_key = None if key_set is None else key_set.find
    return BearerSecurity(rules_of(settings), contract.validator("UserId").is_valid, find_key).principal_of


def _mint_demo(settings: Settings) -> Callable[[], str] | None:
    """Return a function that returns a token for the user `demo`, or None if more than this machine may get one."""
    if settings.production or not is_local(settings.host):
        return None
    return lambda: mint(rules_of(settings), "demo", _DEMO_SECONDS)


def _key_set(url: str) -> "KeySet":
    from handlers.authentication.jwks import KeySet

    return KeySet(url)


def _count_failure(settings: Settings) -> Callable[[str], None] | None:
    if settings.metrics_port is None:
        return None
    from handlers.telemetry.metrics import count_database_failure

    return count_database_failure


def _count_event(settings: Settings) -> Callable[[], None]:
    if settings.metrics_port is None:
        return lambda: None
    from handlers.telemetry.metrics import count_event

    return count_event


def _metrics(settings: Settings) -> list[OnResponse]:
    if settings.metrics_port is None:
        return []
    from handlers.middleware.metrics import count

    return [count]
