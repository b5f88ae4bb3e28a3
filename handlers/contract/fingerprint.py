"""The fingerprint of a request: what two requests with one Idempotency-Key must have in common."""

from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Scope

IDEMPOTENCY_KEY = "idempotency_key"
"""The argument of a handler for the header Idempotency-Key."""
_SIZE = 16


def fingerprint(operation_id: str, scope: Scope, content: bytes) -> bytes:
    """Return a digest of a request whose input is valid: its operation, path, query and body.

    It is the same whatever the order of the query's parameters and of the members of JSON objects. It is made of what
    the client sent, before defaults are filled in: a later release may have other ones.
    """
    query = sorted(parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True))
    body = orjson.loads(content) if content else None
    parts = [operation_id, scope["path"], query]
    return blake2b(_sorted([*parts, body]) or orjson.dumps(parts) + content, digest_size=_SIZE).digest()


def _sorted(value: Any) -> bytes | None:
    """Return a JSON value with sorted members, None if it is nested too deeply: orjson reads more than it writes.

    Only members that the service ignores can be nested like that.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return None
