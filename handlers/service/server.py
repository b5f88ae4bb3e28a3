"""The server: its addresses, its greeting, and uvicorn with its workers."""

import logging.config
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import click
import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from handlers import __version__
from handlers.authentication.minting import mint
from handlers.service.app import create_app
from handlers.service.listening import bound, check
from handlers.service.token_rules import rules_of
from handlers.settings.settings import Settings
from handlers.telemetry.logs import log_config
from storage.administration.migrations import migrate
from storage.driver.database import describe_database

_ADVICE = "Set HOST or PORT to another value."
_logger = logging.getLogger(__name__)


def check_addresses(settings: Settings) -> None:
    """Raise ClickException for an address that cannot be listened on, before anything is started."""
    check(settings.host, settings.port, _ADVICE)
    if settings.metrics_port is not None:
        check(settings.host, settings.metrics_port, "Set METRICS_PORT to another port.")


def run(settings: Settings) -> None:
    """Migrate and serve until a signal ends it. Raises ContractError, Unavailable and UnsuitableDatabase."""
    logging.config.dictConfig(_logs(settings))
    for warning in settings.warnings:
        _logger.warning("%s", warning)
    with _exposed(settings):
        # With several workers this process does not serve: it has no metrics, and only checks that the application can
        # be made.
        several = settings.workers > 1
        app = create_app(replace(settings, metrics_port=None) if several else settings)
        if settings.migrate_on_start:
            migrate(settings.database_url or "")
        _greet(settings)
        # Workers are new processes, and so are their replacements: all must get the settings that were read here.
        read = {"DATABASE_URL": settings.database_url or "", "BETTER_AUTH_SECRET": settings.secret}
        os.environ |= {**settings.variables, **read}
        _serve(settings, "handlers.service.worker:create_app_from_environment" if several else app)


def _serve(settings: Settings, app: ASGIApp | str) -> None:
    """Run uvicorn with an application, or with the name of a function that each worker calls to create its own."""
    config = uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        loop="uvloop",
        http="handlers.service.protocol:HttpProtocol",
        ws="none",
        lifespan="on",
        log_config=_logs(settings),
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        # `docker stop` kills after ten seconds.
        timeout_graceful_shutdown=5,
        # On a busy processor, a worker that replaces another takes longer to start than uvicorn's five seconds.
        timeout_worker_healthcheck=30,
    )
    sockets = bound(settings.host, settings.port, _ADVICE)
    if settings.workers > 1:
        _report_address(settings)
        Multiprocess(config, sockets).run()
        return
    server = _Server(config, settings)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    """A server that reports its address once it listens. Uvicorn reports only sockets that it has bound itself."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets. Raises SystemExit if the application cannot start."""
        await super().startup(sockets)
        _report_address(self._settings)


def _report_address(settings: Settings) -> None:
    _logger.info("Uvicorn running on %s (Press CTRL+C to quit)", _url(settings))


def _logs(settings: Settings) -> dict[str, Any]:
    return log_config(settings.log_level, production=settings.production)


@contextmanager
def _exposed(settings: Settings) -> Iterator[None]:
    """Serve the metrics, if they are enabled."""
    if settings.metrics_port is None:
        yield
        return
    with TemporaryDirectory(prefix="todo-api-metrics-") as directory:
        # Workers inherit this variable. prometheus-client reads it once, when it is imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        from handlers.telemetry.exposition import exposed

        with exposed(directory, settings.host, settings.metrics_port):
            yield


def _url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _greet(settings: Settings) -> None:
    url = _url(settings)
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    _logger.info("Todo API %s on %s, %s, %s", __version__, url, describe_database(settings.database_url or ""), workers)
    if not settings.production:
        header = f"Authorization: Bearer {mint(rules_of(settings), 'demo', 86400)}"
        click.echo(f"\nTry it at {url}/docs, or with this command, as the user 'demo' (the token lasts a day).\n")
        click.echo(f"  curl -w '\\n' -H '{header}' {url}/api/demo/tasks\n")
