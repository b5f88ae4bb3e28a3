"""Cursors: opaque to clients, and good for one user, one set of filters and one order only."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b, sha256
from hmac import compare_digest
from uuid import UUID

import orjson

from storage.task_pages import Position

_MAC_SIZE = 16


def encode_cursor(position: Position, query: list[object], secret: str) -> str:
    """Return a position as a cursor. `query` is all that the following page must have in common with this one."""
    payload = orjson.dumps(list(position))
    return _written(_mac(payload, query, secret) + payload)


def decode_cursor(cursor: str, query: list[object], secret: str) -> Position | None:
    """Return the position of a cursor, None unless it was made here, for the same query."""
    try:
        decoded = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        return None
    mac, payload = decoded[:_MAC_SIZE], decoded[_MAC_SIZE:]
    # Base64 has unused bits at its end: only one way to write them is ours.
    if not compare_digest(mac, _mac(payload, query, secret)) or _written(decoded) != cursor:
        return None
    key, task_id = orjson.loads(payload)
    return Position(key, UUID(task_id))


def _written(decoded: bytes) -> str:
    return urlsafe_b64encode(decoded).rstrip(b"=").decode()


def _mac(payload: bytes, query: list[object], secret: str) -> bytes:
    key = sha256(b"cursor:" + secret.encode()).digest()
    return blake2b(orjson.dumps([payload.hex(), query]), key=key, digest_size=_MAC_SIZE).digest()
