"""A worker process: its application, created when its settings are known, and its server."""

import os
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socket

from starlette.types import ASGIApp

from handlers.service.garbage_collection import without_garbage_collection
from handlers.service.metrics_directory import use
from handlers.settings.settings import Settings


def serve(listeners: list[socket], reports: Connection) -> None:
    """Serve on these sockets until SIGTERM or SIGINT, and write a byte to `reports` every second."""
    os.set_blocking(reports.fileno(), False)
    # Ctrl-C reaches the workers too, perhaps while they start.
    with suppress(KeyboardInterrupt):
        settings = _settings()
        if settings.metrics_port is not None:
            # Counters of a worker that outlives its parent for a moment must not lose their directory.
            use(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        app = create_app_from_environment()
        from handlers.service.http_server import HttpServer

        HttpServer(settings, app, reports).run(listeners)


def create_app_from_environment() -> ASGIApp:
    """Return the application of a worker; its parent has put all settings into the environment."""
    with without_garbage_collection():
        from handlers.service.app import create_app

    return create_app(_settings())


def _settings() -> Settings:
    return Settings.load(os.environ, env_file=Path(os.devnull))
