"""Requests with large heads: one at a time begins, and others are served in between.

What the service does with a head before its first pause can take milliseconds, such as to decode a long query.
"""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.contract.one_at_a_time import OneAtATime

LARGE = 4096
"""A head with more bytes than this is large."""


class LargeHeads:
    """Gives each request of a process that has a large head a turn: `tests/faults/test_costly_heads.py`."""

    def __init__(self) -> None:
        self._turns = OneAtATime()

    def in_turn(self, app: ASGIApp) -> ASGIApp:
        """Return the application, which waits for a turn before it begins to serve a request."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            serving: asyncio.Future[None] | None = None
            try:
                async with self._turns.turn():
                    serving = asyncio.ensure_future(app(scope, receive, send))
                    # Its first step ends with its first pause.
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                # Some time after it begins to stop, uvicorn cancels the requests that are still running.
                if serving is None:
                    serving = asyncio.ensure_future(app(scope, receive, send))
                    await asyncio.sleep(0)
                serving.cancel()
            await serving

        return serve
