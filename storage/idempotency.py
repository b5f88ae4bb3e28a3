"""Idempotency keys: a request with a key takes effect once, and its answer is kept for its repetitions.

Key and effect are committed together. Kept are the status, ids, counts and revisions of an answer, but no text.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import DateTime, LargeBinary, Text, bindparam, insert, select
from sqlalchemy.dialects.postgresql import JSONB

from storage import accounts
from storage.driver.query import Query, Row
from storage.driver.transaction import Call
from storage.errors import KeyReused
from storage.schema import idempotency_keys

_key = bindparam("key", type_=Text)
found = select(idempotency_keys.c.fingerprint, idempotency_keys.c.answer).where(
    idempotency_keys.c.user_id == accounts.owner, idempotency_keys.c.key == _key
)
"""The answer of an earlier request with this key, if there is one."""
kept: dict[str, Any] = {
    "user_id": accounts.owner,
    "key": _key,
    "fingerprint": bindparam("fingerprint", type_=LargeBinary),
    "answer": bindparam("answer", type_=JSONB),
}
"""The values of a row that keeps an answer, without its time."""
_FIND = Query(found)
_KEEP = Query(insert(idempotency_keys).values(**kept, created_at=bindparam("at", type_=DateTime(timezone=True))))


class Key(NamedTuple):
    """A key, and the digest of what all requests with it must have in common."""

    key: str
    fingerprint: bytes


def find(user_id: str, key: Key) -> Call:
    """Return the statement that finds the answer of an earlier request, whose rows `answer_of` takes.

    In a transaction, run it in a statement of its own after the account's lock: an earlier request with this key may
    have held that lock, and would not be seen otherwise.
    """
    return _FIND, {"user_id": user_id, "key": key.key}


def answer_of(rows: Sequence[Row], key: Key) -> dict[str, Any] | None:
    """Return the kept answer, None if the key is new. Raises KeyReused if the key belongs to another request."""
    if not rows:
        return None
    fingerprint, answer = rows[0]
    if bytes(fingerprint) != key.fingerprint:
        raise KeyReused
    return dict(answer)


def keep(user_id: str, key: Key, answer: Mapping[str, Any], at: datetime) -> Call:
    """Return the statement that keeps an answer, which must be JSON. Run it in the transaction of the effect."""
    return _KEEP, {"user_id": user_id, **key._asdict(), "answer": json.dumps(answer), "at": at}
