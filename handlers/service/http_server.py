"""Uvicorn's server, as this service runs it."""

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from starlette.types import ASGIApp

from handlers.responses.state import service_state
from handlers.service.connections import LISTENERS, Connections, most_connections
from handlers.service.listening import url_of
from handlers.service.stopping import ARRIVAL_SECONDS, END, refuse_connections, report_delay, until_accepted
from handlers.service.time_limits import TimeLimits
from handlers.settings.settings import Settings
from handlers.telemetry.logs import log_config

if TYPE_CHECKING:
    from handlers.service.protocol import HttpProtocol

_TICKS_PER_SECOND = 10
_logger = logging.getLogger(__name__)


class HttpServer(uvicorn.Server):
    """A server with limits on connections and their time, and a delay between the signal that ends it and the end.

    As a worker it reports to its parent every second that it serves.
    """

    def __init__(self, settings: Settings, app: ASGIApp, reports: Connection | None = None) -> None:
        super().__init__(http_config(settings, app))
        self.server_state = Connections(most_connections(settings.pool_max_size))
        self._limits = TimeLimits(
            head=settings.head_timeout, body=settings.body_timeout, keep_alive=settings.keep_alive_timeout
        )
        self._settings = settings
        self._reports = reports
        # When the delay ends (monotonic); None before it begins.
        self._stop_at: float | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen on the sockets. Raises SystemExit if the application cannot start.

        Uvloop accepts one connection per listener in each turn of the event loop, which may be long. With one listener,
        new clients would wait while others are served: `tests/faults/test_accepting.py`.
        """
        await super().startup([one for listener in sockets or [] for one in _repeated(listener)])
        if self._reports is None:
            report_address(self._settings)
        else:
            signal.signal(END, self._end)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the delay, or end it at a second signal.

        A worker may get each signal twice, from a terminal or a supervisor and from its parent, which ends the delay.
        """
        if self.started and self._stop_at is None:
            service_state(self.lifespan.state).ready = False
            self._stop_at = time.monotonic() + self._settings.shutdown_delay
            if self._reports is None:
                report_delay(self._settings.shutdown_delay)
        elif self._reports is None or self.should_exit or not self.started:
            super().handle_exit(sig, frame)

    def _end(self, *_: object) -> None:
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Do what is due every second, and return whether to stop.

        Uvicorn calls this ten times a second, from the end of the startup on.
        """
        if counter % _TICKS_PER_SECOND == 0:
            self._limits.look(cast("set[HttpProtocol]", self.server_state.connections))
            self._report()
        if self._stop_at is not None:
            # Not in the signal's handler, which may interrupt the event loop anywhere.
            service_state(self.lifespan.state).leaving.set()
            if time.monotonic() >= self._stop_at:
                self._end()
        return await super().on_tick(counter)

    def _report(self) -> None:
        if self._reports is not None:
            # The parent may have ended, or may be suspended and not read.
            with suppress(OSError):
                os.write(self._reports.fileno(), b".")

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Serve what clients have already sent, each connection's last request, and then stop."""
        service = service_state(self.lifespan.state)
        service.leaving.set()
        service.stopping.set()
        # Other workers may still listen on the same sockets.
        if self._reports is None:
            refuse_connections(sockets or [])
        await asyncio.sleep(ARRIVAL_SECONDS)
        await until_accepted(sockets or [])
        # The connections accepted last begin in the next turns of the loop. Uvicorn would not know that they are idle.
        for _ in range(2):
            await asyncio.sleep(0)
        await super().shutdown(sockets)


def _repeated(listener: socket) -> list[socket]:
    # Not `listener.dup()`, which makes the socket block, for a moment and in all workers. A worker that accepts from it
    # in that moment then waits for the next connection, and serves nobody.
    return [listener, *(socket(fileno=os.dup(listener.fileno())) for _ in range(LISTENERS - 1))]


def report_address(settings: Settings) -> None:
    """Log the address of the service. Uvicorn logs only addresses that it has bound itself."""
    _logger.info("Uvicorn running on %s (Press CTRL+C to quit)", url_of(settings.host, settings.port))


def http_config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    """Return the configuration of a server."""
    return uvicorn.Config(
        app,
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
