"""Logs: one line for each request; JSON in production, readable and coloured in development.

Uvicorn's records and psycopg's come in the same form. No record has a token, or a text of a user's or of a query.
"""

import logging
import sys
import time
from contextlib import suppress
from ipaddress import ip_address
from traceback import TracebackException
from typing import Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.orjson import OrjsonFormatter
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.logging import ColourizedFormatter

_logger = logging.getLogger(__name__)


def log_config(level: str, *, production: bool) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes, for this process and for uvicorn's workers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"default": {"()": JsonFormatter if production else TextFormatter}},
        "handlers": {"stdout": {"()": StdoutHandler, "formatter": "default"}},
        # They name each of their own parts, each request without a token, and each request of ours.
        "loggers": {name: {"level": "WARNING"} for name in ("alembic.runtime.plugins", "connexion", "httpx")},
        "root": {"level": level.upper(), "handlers": ["stdout"]},
    }


class StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes to standard output, for as long as somebody takes it."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's names
        """Do nothing: logging's own would tell standard error of each record that is lost, with a traceback."""


class JsonFormatter(OrjsonFormatter):
    """One JSON object on one line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and what the record adds."""

    def __init__(self) -> None:
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            # Uvicorn's messages come a second time with colours.
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
            timestamp="time",
        )

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return a traceback."""
        return _traceback(ei)


class TextFormatter(ColourizedFormatter):
    """A line for people: the time, the level in colour where it is a terminal, and the message."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelprefix} {message}", "%H:%M:%S", style="{")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return a traceback."""
        return _traceback(ei)


def _traceback(error: Any) -> str:
    """Return a traceback with one line for each error: from the second on, PostgreSQL's tell what is in a row."""
    parts = TracebackException(*error).format()
    return "".join(part if part.startswith((" ", "\n", "Traceback")) else part.splitlines()[0] + "\n" for part in parts)


def log_request(scope: Scope, status: int | None, seconds: float) -> None:
    """Log a request that has ended: its `status`, None for one without an answer, and how long it took."""
    if not _logger.isEnabledFor(logging.INFO):
        return
    state = scope["state"]
    fields = {
        "method": scope["method"],
        "route": state.get("route"),
        "status": status,
        "duration_ms": round(seconds * 1000, 3),
        "request_id": state["request_id"],
        "user_id": state.get("user_id"),
        "client": _address(scope["client"]),
    }
    words = ("-" if fields[name] is None else fields[name] for name in ("method", "route", "status", "duration_ms"))
    _logger.info("%s %s %s %s ms", *words, extra=fields)


def _address(client: tuple[str, int] | None) -> str | None:
    """Return a client's address, if it is one: behind a proxy, it comes from a header that may have any text."""
    with suppress(ValueError):
        return str(ip_address(client[0])) if client else None
    return None


class RequestLogMiddleware:
    """Logs each request when its answer is complete, whoever gave it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = None

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            log_request(scope, status, time.perf_counter() - started)
