"""The log of an outage: psycopg's pool tries to connect twice a second, and reports each attempt twice."""

import logging
import time

_SECONDS = 60.0


class OnceAMinute(logging.Filter):
    """Lets the reason for a failed attempt through once a minute, and its repetition never."""

    def __init__(self) -> None:
        super().__init__()
        self._last = -_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record of psycopg's pool."""
        if record.msg.startswith("reconnection attempt"):
            return False
        if not record.msg.startswith("error connecting"):
            return True
        is_due = time.monotonic() - self._last >= _SECONDS
        if is_due:
            self._last = time.monotonic()
        return is_due
