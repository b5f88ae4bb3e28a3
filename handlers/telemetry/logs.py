"""Logs: one line for each request; JSON in production, readable and coloured in development.

Uvicorn's records and psycopg's come in the same form. No record has a token, or a text of a user's or of a query.
"""

import asyncio
import logging
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from io import TextIOWrapper
from ipaddress import ip_address
from traceback import TracebackException
from typing import Any, TextIO

import orjson
from uvicorn.logging import ColourizedFormatter

_LONGEST_ADDRESS = 64
# What is written at once to a pipe is not torn by what other workers write, up to 4,096 bytes.
_MOST_BYTES = 4096
_logger = logging.getLogger(__name__)
# What every record has; uvicorn's messages come a second time with colours.
_OWN_ATTRIBUTES = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"}


def log_config(level: str, *, production: bool) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes, for this process and for uvicorn's workers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"default": {"()": JsonFormatter if production else TextFormatter}},
        "handlers": {"stdout": {"()": JsonHandler if production else StdoutHandler, "formatter": "default"}},
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


class JsonHandler(StdoutHandler):
    """Takes lines of JSON, too: those of one turn of the event loop are written at once."""

    def __init__(self) -> None:
        super().__init__()
        if isinstance(self.stream, TextIOWrapper):
            # JSON is UTF-8 (RFC 8259, section 8.1), whatever the locale's encoding is. What was written before, and
            # that nobody takes, is an OSError.
            with suppress(OSError):
                self.stream.reconfigure(encoding="utf-8")
        self._lines: list[bytes] = []
        self._size = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after the lines that came before it."""
        self._write_lines()
        super().emit(record)

    def write_soon(self, line: bytes) -> None:
        """Write a line before the event loop waits again."""
        if self._size + len(line) >= _MOST_BYTES:
            self._write_lines()
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write_lines)
        self._lines.append(line)
        self._size += len(line) + 1

    def _write_lines(self) -> None:
        if self._lines:
            text = b"\n".join([*self._lines, b""]).decode()
            self._lines.clear()
            self._size = 0
            # It is a ValueError when standard output is closed.
            with suppress(OSError, ValueError):
                self.stream.write(text)
                self.stream.flush()


class JsonFormatter(logging.Formatter):
    """One JSON object on one line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and what the record adds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        added = {name: value for name, value in record.__dict__.items() if name not in _OWN_ATTRIBUTES}
        if record.exc_info:
            added["exception"] = _traceback(record.exc_info)
        return _line(record.levelname, record.name, record.getMessage(), added, record.created).decode()


def _line(level: str, logger: str, message: str, added: dict[str, Any], created: float) -> bytes:
    members = {
        "level": level,
        "logger": logger,
        "message": message,
        **added,
        "time": datetime.fromtimestamp(created, UTC),
    }
    return orjson.dumps(members, default=str)


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


def log_request(
    *,
    method: str | None,
    route: str | None,
    status: int | None,
    seconds: float,
    request_id: str,
    user_id: str | None,
    client: tuple[str, int] | None,
) -> None:
    """Log a request that has ended. `status` is None for one without a response, `method` for one that is not HTTP."""
    if not _logger.isEnabledFor(logging.INFO):
        return
    duration_ms = round(seconds * 1000, 3)
    message = f"{method or '-'} {route or '-'} {status or '-'} {duration_ms} ms"
    handler = next(iter(logging.getLogger().handlers), None)
    if not isinstance(handler, JsonHandler):
        _logger.info(message)
        return
    fields = {
        "method": method,
        "route": route,
        "status": status,
        "duration_ms": duration_ms,
        "request_id": request_id,
        "user_id": user_id,
        "client": _address(client[0][:_LONGEST_ADDRESS]) if client else None,
    }
    # `_logger.info` does the same in 42 µs instead of 8.
    handler.write_soon(_line("INFO", _logger.name, message, fields, time.time()))


@lru_cache(1024)
def _address(client: str) -> str | None:
    """Return a client's address, if it is one: behind a proxy, it comes from a header that may have any text."""
    with suppress(ValueError):
        return str(ip_address(client))
    return None
