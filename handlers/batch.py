"""The tag `batch`: many writes in one request."""

from typing import Any

from handlers.resources.batch import batch_failed, batch_resource, operations_of
from handlers.resources.idempotency import key_of, replay_headers
from handlers.resources.revisions import PRIVATE
from handlers.responses.response import JSON, Response
from storage import batch
from storage.driver.database import Database


async def run_batch(
    database: Database,
    user_id: str,
    body: dict[str, Any],
    idempotency_key: str | None,
    fingerprint: bytes | None,
    request_id: str,
) -> Response:
    """Run the operations, and return the result of each."""
    key = key_of(idempotency_key, fingerprint)
    is_atomic = body["mode"] == "atomic"
    done = await batch.run_batch(database, user_id, operations_of(body), is_atomic=is_atomic, key=key)
    if not done.is_written:
        raise batch_failed(done, request_id)
    return JSON(batch_resource(done, request_id), headers={**PRIVATE, **replay_headers(is_replayed=done.is_replayed)})
