"""The tag `batch`: many writes in one request."""

from typing import Any

from handlers.responses.response import Response
from storage.driver.database import Database


async def run_batch(
    database: Database,
    user_id: str,
    body: dict[str, Any],
    idempotency_key: str | None,
    fingerprint: bytes | None,
    request_id: str,
) -> Response:
    raise NotImplementedError
