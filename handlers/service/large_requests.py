"""Requests with large bodies: how much memory they take together, and which of them has to make room."""

from functools import partial
from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from handlers.responses.problems import RETRY_AFTER, Problem
from handlers.service.repeated_warning import RepeatedWarning

if TYPE_CHECKING:
    from handlers.service.response_cycle import ResponseCycle

SMALL = HIGH_WATER_LIMIT
"""The size in bytes up to which a body is small."""

# In bytes. Room for 68 of the largest bodies; those that wait for the database take twice as much, parsed.
_MOST = 64 * 2**20
_TOO_MANY = partial(Problem, 503, "The server is receiving too many large requests.", headers=RETRY_AFTER)


class LargeRequests:
    """The requests of a process whose bodies are large, from when they are until the response begins.

    What their bodies take in addition to the size of small ones is limited to 64 MiB. Beyond that, the one that has
    been incomplete for longest makes room: it gets a 503, and nothing of it was executed.
    """

    def __init__(self) -> None:
        # A dictionary keeps the order.
        self._sizes: dict[ResponseCycle, int] = {}
        self._total = 0
        self._warning = RepeatedWarning(
            f"Large requests take {_MOST // 2**20} MiB. Incomplete ones rejected: %d.", "rejected"
        )

    def hold(self, request: "ResponseCycle", size: int) -> None:
        """Note how many bytes of a request's body have come. The body is incomplete."""
        self._total += size - self._sizes.get(request, SMALL)
        self._sizes[request] = size
        while self._total > _MOST:
            first = next(one for one in self._sizes if one.more_body)
            self.release(first)
            first.give_up(_TOO_MANY)
            self._warning.count("rejected")

    def release(self, request: "ResponseCycle") -> None:
        """Note that a request's body is not needed any more."""
        self._total -= self._sizes.pop(request, SMALL) - SMALL
