"""Cursors: opaque to clients, and valid for one user, one set of filters and one order only."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b, sha256
from hmac import compare_digest
from uuid import UUID

import orjson

from storage.task_pages import Position

_MAC_SIZE = 16


class Cursors:
    """Writes and reads cursors, which are signed with a separate key."""

    def __init__(self, secret: str) -> None:
        """Derive the key from `secret`, which must be the same in all processes of a service."""
        self._key = sha256(b"cursor:" + secret.encode()).digest()

    def encode(self, position: Position, query: list[object]) -> str:
        """Return a position as a cursor. The next request must have the same `query`."""
        payload = orjson.dumps(list(position))
        return _to_text(self._mac(payload, query) + payload)

    def decode(self, cursor: str, query: list[object]) -> Position | None:
        """Return the position of a cursor, or None unless `encode` made it for the same query."""
        try:
            decoded = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            return None
        mac, payload = decoded[:_MAC_SIZE], decoded[_MAC_SIZE:]
        # Base64 has unused bits at its end: only one spelling is accepted.
        if not compare_digest(mac, self._mac(payload, query)) or _to_text(decoded) != cursor:
            return None
        key, task_id = orjson.loads(payload)
        return Position(key, UUID(task_id))

    def _mac(self, payload: bytes, query: list[object]) -> bytes:
        return blake2b(orjson.dumps([payload.hex(), query]), key=self._key, digest_size=_MAC_SIZE).digest()


def _to_text(decoded: bytes) -> str:
    return urlsafe_b64encode(decoded).rstrip(b"=").decode()
