"""The state of a process and of a request, as typed objects in the ASGI scope's `state`."""

import asyncio
import random
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from handlers.authentication.principal import Principal

RawHeaders = list[tuple[bytes, bytes]]
"""Headers as ASGI has them: names in lower case, values in Latin-1."""

_SERVICE, _REQUEST = "service", "request"


@dataclass(slots=True)
class ServiceState:
    """The state that all requests of a process share. The lifespan yields it, and the HTTP protocol also reads it.

    `ready` is false and `leaving` is set once the process is about to stop, in `shutdown_delay` seconds, and `stopping`
    is set when it begins to. `in_use` is set by each request of a user, and cleared by the jobs. `headers` are those
    that every response carries. `rest_limit` is how many bytes of a rejected body are read before the response is sent.
    """

    headers: RawHeaders
    rest_limit: int
    shutdown_delay: float = 0.0
    ready: bool = True
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    in_use: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def closes_connections(self) -> bool:
        """Whether each connection has to end with its next response."""
        return not self.ready or self.stopping.is_set()

    async def departure(self) -> None:
        """Wait until a response that could go on for ever has to end because the process is about to stop.

        These responses end one after the other, each at a random time during the delay, or in the second after it: all
        their clients at once would overload the next process.
        """
        # A response that begins after the others have ended is the only one of its connection.
        if self.stopping.is_set():
            return
        await self.leaving.wait()
        fraction = random.random()  # noqa: S311 - no secret
        with suppress(TimeoutError):
            async with asyncio.timeout(fraction * max(self.shutdown_delay, 1)):
                await self.stopping.wait()
                await asyncio.sleep(fraction)

    def as_lifespan_state(self) -> dict[str, Any]:
        """Return the state that a lifespan yields: the server copies it into the scope of each request."""
        return {_SERVICE: self}


@dataclass(slots=True)
class RequestState:
    """The state of one request, created when it begins.

    `started` is in seconds, by `time.perf_counter`. `route` is a path template. `route` and `operation_id` are None for
    a path that is not in the contract. `principal` is None until a token has been accepted, and `status` is None until
    the response has begun.
    """

    request_id: str
    started: float
    operation_id: str | None = None
    route: str | None = None
    principal: Principal | None = None
    status: int | None = None


def service_state(state: Mapping[str, Any]) -> ServiceState:
    """Return the process's state from the `state` of a scope, or of the server."""
    service: ServiceState = state[_SERVICE]
    return service


def begin_request(scope: MutableMapping[str, Any], state: RequestState) -> None:
    """Store a request's state in its scope."""
    scope.setdefault("state", {})[_REQUEST] = state


def request_state(scope: Mapping[str, Any]) -> RequestState:
    """Return the state of a request."""
    state: RequestState = scope["state"][_REQUEST]
    return state
