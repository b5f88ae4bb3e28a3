"""Uvicorn's server, as this service runs it."""

import os
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from handlers.service.connections import Connections, most_connections
from handlers.settings.settings import Settings
from handlers.telemetry.logs import log_config

_TICKS_PER_SECOND = 10


class HttpServer(uvicorn.Server):
    """A server with a limit on connections, which as a worker reports to its parent every second that it serves."""

    def __init__(self, settings: Settings, app: ASGIApp, reports: Connection | None = None) -> None:
        super().__init__(http_config(settings, app))
        self.server_state = Connections(most_connections(settings.pool_max_size))
        self._reports = reports

    async def on_tick(self, counter: int) -> bool:
        """Report, and return whether to stop. Uvicorn calls this ten times a second, from the end of the startup on."""
        if self._reports is not None and counter % _TICKS_PER_SECOND == 0:
            # The parent may have ended, or may be suspended and not read.
            with suppress(OSError):
                os.write(self._reports.fileno(), b".")
        return await super().on_tick(counter)


def http_config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    """Return the configuration of a server."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="handlers.service.protocol:HttpProtocol",
        ws="none",
        lifespan="on",
        log_config=logs(settings),
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        # `docker stop` kills after ten seconds.
        timeout_graceful_shutdown=5,
    )


def logs(settings: Settings) -> dict[str, Any]:
    """Return the configuration of the logs."""
    return log_config(settings.log_level, production=settings.production)
