"""The server: its addresses, its greeting, and uvicorn with its workers."""

import logging.config
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory

import click
import uvicorn

from handlers import __version__
from handlers.authentication.minting import mint
from handlers.service.app import create_app
from handlers.service.token_rules import rules_of
from handlers.settings.settings import Settings
from handlers.telemetry.logs import log_config
from storage.administration.migrations import migrate
from storage.driver.database import describe_database

_logger = logging.getLogger(__name__)


def check_addresses(settings: Settings) -> None:
    """Raise ClickException for an address that cannot be listened on, before anything is started for it."""
    _check_address(settings.host, settings.port, "HOST and PORT choose another.")
    if settings.metrics_port is not None:
        _check_address(settings.host, settings.metrics_port, "METRICS_PORT chooses another.")


def run(settings: Settings) -> None:
    """Migrate and serve until a signal ends it. Raises ContractError, Unavailable and UnsuitableDatabase."""
    # Metrics are of the processes that serve: with several workers, this one only sees that the application fits.
    several = settings.workers > 1
    logs = log_config(settings.log_level, production=settings.production)
    logging.config.dictConfig(logs)
    with _exposed(settings):
        app = create_app(replace(settings, metrics_port=None) if several else settings)
        if settings.migrate_on_start:
            migrate(settings.database_url or "")
        _greet(settings)
        # Workers are new processes, now or when one is replaced: what they find must be what was read here.
        ours = {"DATABASE_URL": settings.database_url or "", "BETTER_AUTH_SECRET": settings.secret}
        os.environ |= {**settings.variables, **ours}
        uvicorn.run(
            "handlers.service.worker:create_app_from_environment" if several else app,
            factory=several,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            loop="uvloop",
            http="handlers.service.protocol:HttpProtocol",
            ws="none",
            lifespan="on",
            log_config=logs,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            # `docker stop` kills after ten seconds.
            timeout_graceful_shutdown=5,
            # A busy processor takes more than uvicorn's five seconds to start a worker that is to replace another.
            timeout_worker_healthcheck=30,
        )


def _check_address(host: str, port: int, advice: str) -> None:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address, family=family).close()
    except (OSError, UnicodeError) as error:
        raise click.ClickException(f"Cannot listen on {host}, port {port}: {_reason(error)}. {advice}") from None


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is no name of a host"
    # Of an address in use, Python's own words repeat the address.
    return str(error.strerror).partition(" (while attempting")[0]


@contextmanager
def _exposed(settings: Settings) -> Iterator[None]:
    """Serve the metrics, where they are wanted."""
    if settings.metrics_port is None:
        yield
        return
    with TemporaryDirectory(prefix="todo-api-metrics-") as directory:
        # For workers too; prometheus-client looks at it when it is imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        from handlers.telemetry.exposition import exposed

        with exposed(directory, settings.host, settings.metrics_port):
            yield


def _greet(settings: Settings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    _logger.info("Todo API %s on %s, %s, %s", __version__, url, describe_database(settings.database_url or ""), workers)
    if not settings.production:
        header = f"Authorization: Bearer {mint(rules_of(settings), 'demo', 86400)}"
        click.echo(f"\nTry it in a browser, {url}/docs, or as the user 'demo', for a day:\n")
        click.echo(f"  curl -w '\\n' -H '{header}' {url}/api/demo/tasks\n")
