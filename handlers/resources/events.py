"""Events: the stream that tells a client when to ask for changes, as server-sent events (WHATWG HTML, section 9.2)."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson

from handlers.resources.sync_tokens import token_at
from storage.changes import Head, SyncToken
from storage.watchers import Watch

STREAM_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
"""The headers of a stream: nothing on the way may store, compress or hold it back."""

_COMMENT = b":\n\n"
_COMMENT_SECONDS = 15.0
# In milliseconds. Clients that lost their connections at the same time do not all return at the same time.
_RETRY = (1000, 5000)


async def events(watch: Watch, head: Head, token: SyncToken | None, expires_at: datetime) -> AsyncIterator[bytes]:
    """Yield the events of a client that has this token, or none, until its bearer token expires.

    `head` was read after `watch` began.
    """
    yield b"retry: %d\n\n" % random.randint(*_RETRY) + _ready(head)  # noqa: S311 - no secret
    if token is not None and token.revision < head.revision:
        yield _changed(head)
    while (left := _seconds_until(expires_at)) > 0:
        seen, head = head, await watch.next(head, min(left, _COMMENT_SECONDS)) or head
        if head is seen:
            yield _COMMENT
        elif _is_reset(seen, head):
            yield bye("sync-reset")
            return
        elif head.revision > seen.revision:
            yield _changed(head)
    yield bye("token-expired")


def bye(reason: str) -> bytes:
    """Return the event that ends a stream."""
    return _event("bye", {"reason": reason})


def _ready(head: Head) -> bytes:
    return _event("ready", {"sync_token": token_at(head)})


def _changed(head: Head) -> bytes:
    token = token_at(head)
    return b"id: %b\n" % token.encode() + _event("changed", {"sync_token": token, "revision": head.revision})


def _event(name: str, data: dict[str, Any]) -> bytes:
    # Many clients pass on the data and nothing else, so it has the name too.
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps({"type": name, **data}))


def _is_reset(seen: Head, head: Head) -> bool:
    """Return whether the account has another history than before."""
    return head.revision < seen.revision or (seen.revision > 0 and head.epoch != seen.epoch)


def _seconds_until(expires_at: datetime) -> float:
    return (expires_at - datetime.now(UTC)).total_seconds()
