"""The end of what a client sends, while it may still read (RFC 9293, section 3.6, case 2).

Some clients end what they send after their last request, and then read. The event loop does not tell them from
clients that have disconnected: a response cannot be written to those, and that ends the connection. So a response that
waits for something to happen comes at once.
"""

from collections import deque
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from handlers.service.response_cycle import ResponseCycle


def answers_the_rest(
    running: RequestResponseCycle | None, waiting: deque[tuple[RequestResponseCycle, Any]], *, closes: bool
) -> bool:
    """Return whether complete requests have no response yet. With `closes`, the last response ends the connection.

    A request that waits and is incomplete is dropped. A stream that has begun counts as abandoned, because it might
    have nothing to write for ever.
    """
    if waiting and waiting[0][0].more_body:
        waiting.popleft()
    if running is None or running.more_body or running.response_started:
        return False
    for cycle in (running, *(cycle for cycle, _ in waiting)):
        cast(ResponseCycle, cycle).half_close()
    last = waiting[0][0] if waiting else running
    last.keep_alive = last.keep_alive and not closes
    return True
