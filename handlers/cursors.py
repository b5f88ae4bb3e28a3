"""Cursors: opaque to clients, and good for one user, one set of filters and one order only."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b, sha256
from hmac import compare_digest
from uuid import UUID

import orjson

from handlers.problems import Problem, invalid_input
from storage.lists import Position

_MAC_SIZE = 16


def encode_cursor(position: Position, query: list[object], secret: str) -> str:
    """Return a position as a cursor. `query` is all that the following page must have in common with this one."""
    payload = orjson.dumps(list(position))
    return urlsafe_b64encode(_mac(payload, query, secret) + payload).rstrip(b"=").decode()


def decode_cursor(cursor: str, query: list[object], secret: str) -> Position:
    """Return the position of a cursor. Raises Problem 400 unless it was made here, for the same query."""
    try:
        decoded = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise _refused() from None
    mac, payload = decoded[:_MAC_SIZE], decoded[_MAC_SIZE:]
    # With the code checked, the payload needs no check of its own: only this service can have made it.
    if not compare_digest(mac, _mac(payload, query, secret)):
        raise _refused()
    key, task_id = orjson.loads(payload)
    return Position(key, UUID(task_id))


def _mac(payload: bytes, query: list[object], secret: str) -> bytes:
    key = sha256(b"cursor:" + secret.encode()).digest()
    return blake2b(orjson.dumps([payload.hex(), query]), key=key, digest_size=_MAC_SIZE).digest()


def _refused() -> Problem:
    detail = "is damaged, or was made for other filters or another order"
    return invalid_input([{"in": "query", "name": "cursor", "detail": detail}])
