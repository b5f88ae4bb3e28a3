"""The server: its addresses, its greeting, and uvicorn with its workers."""

import logging.config
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Thread

import click
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from handlers import __version__
from handlers.authentication.minting import mint
from handlers.service.app import create_app
from handlers.service.connections import raise_limit
from handlers.service.http_server import HttpServer, logs, report_address
from handlers.service.listening import bound, check, url_of
from handlers.service.metrics_directory import metrics_directory
from handlers.service.token_rules import rules_of
from handlers.service.workers import Workers
from handlers.settings.settings import Settings
from storage.administration.listening import NOT_HEARD, hears
from storage.administration.migrations import migrate
from storage.driver.database import describe_database
from storage.errors import Unavailable, UnsuitableDatabase

_ADVICE = "Set HOST or PORT to another value."
# Between two attempts to find out whether LISTEN works.
_TRY_AGAIN_SECONDS = 5.0
_logger = logging.getLogger(__name__)


def check_addresses(settings: Settings) -> None:
    """Raise ClickException for an address that cannot be listened on, before anything is started."""
    check(settings.host, settings.port, _ADVICE)
    if settings.metrics_port is not None:
        check(settings.host, settings.metrics_port, "Set METRICS_PORT to another port.")


def run(settings: Settings) -> None:
    """Migrate and serve until a signal ends it. Raises ContractError, Unavailable and UnsuitableDatabase."""
    raise_limit()
    logging.config.dictConfig(logs(settings))
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
        Thread(target=_warn_if_not_heard, args=[settings.database_url or ""], daemon=True).start()
        # Workers are new processes, and so are their replacements: all must get the settings that were read here.
        read = {"DATABASE_URL": settings.database_url or "", "BETTER_AUTH_SECRET": settings.secret}
        os.environ |= {**settings.variables, **read}
        _serve(settings, app)


def _serve(settings: Settings, app: ASGIApp) -> None:
    """Serve in this process, or in several workers. Raises SystemExit if the startup fails."""
    sockets = bound(settings.host, settings.port, _ADVICE)
    if settings.workers > 1:
        report_address(settings)
        Workers(settings.workers, sockets, settings.shutdown_delay).run()
        return
    server = HttpServer(settings, app)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


@contextmanager
def _exposed(settings: Settings) -> Iterator[None]:
    """Serve the metrics, if they are enabled."""
    if settings.metrics_port is None:
        yield
        return
    with metrics_directory() as directory:
        # Workers inherit this variable. prometheus-client reads it once, when it is imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        from handlers.telemetry.exposition import exposed

        with exposed(directory, settings.host, settings.metrics_port):
            yield


def _warn_if_not_heard(url: str) -> None:
    """Warn once, for all workers, if changes of other processes will be found late.

    While the database does not respond, nobody knows. So this tries until it does.
    """
    while True:
        try:
            is_heard = hears(url)
        except Unavailable:
            time.sleep(_TRY_AGAIN_SECONDS)
        except UnsuitableDatabase:
            return
        else:
            if not is_heard:
                _logger.warning("%s", NOT_HEARD)
            return


def _greet(settings: Settings) -> None:
    url = url_of(settings.host, settings.port)
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    _logger.info("Todo API %s on %s, %s, %s", __version__, url, describe_database(settings.database_url or ""), workers)
    if not settings.production:
        header = f"Authorization: Bearer {mint(rules_of(settings), 'demo', 86400)}"
        click.echo(f"\nTry it at {url}/docs, or with this command, as the user 'demo' (the token lasts a day).\n")
        click.echo(f"  curl -w '\\n' -H '{header}' {url}/api/demo/tasks\n")
