"""A warning about what happens again and again, at most once a minute."""

import asyncio
import logging
from collections import Counter

_SECONDS = 60
_logger = logging.getLogger(__name__)


class RepeatedWarning:
    """Counts events of several kinds, and logs the counts at once and then once a minute for as long as there are more.

    `message` has a `%d` for each kind, in their order.
    """

    def __init__(self, message: str, *kinds: str) -> None:
        self._message = message
        self._kinds = kinds
        self._counts = Counter[str]()
        self._reporting: asyncio.TimerHandle | None = None

    def count(self, kind: str) -> None:
        """Count an event."""
        self._counts[kind] += 1
        if self._reporting is None:
            self._report()

    def _report(self) -> None:
        self._reporting = None
        if self._counts:
            _logger.warning(self._message, *(self._counts[kind] for kind in self._kinds))
            self._counts.clear()
            self._reporting = asyncio.get_running_loop().call_later(_SECONDS, self._report)
