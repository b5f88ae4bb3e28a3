"""Parameters reach PostgreSQL as they are, from single statements and from transactions."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Query, Row
from tests.support.driver import with_database

ID = UUID("01a207b0-58d6-7c52-9f0e-3d2a8f6b7c41")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bytea", bytes(range(256))),
        ("bytea", b""),
        ("text", "quotes ' and \\ and ä"),
        ("text[]", ["a,b", '"', "\\", "NULL", ""]),
        ("uuid[]", [ID]),
        ("uuid[]", []),
        ("bigint", 2**63 - 1),
        ("boolean", False),
        ("date", date(1, 1, 1)),
        ("timestamptz", datetime(2026, 11, 24, 9, 30, 0, 123456, UTC)),
        ("text", None),
    ],
)
def test_a_parameter_comes_back_unchanged(database: str, kind: str, value: Any) -> None:
    call = Query(text(f"SELECT CAST(:value AS {kind})")), {"value": value}

    async def test(opened: Database) -> Sequence[Sequence[Row]]:
        single = await opened.pipeline.run(*call)
        (grouped,) = await opened.in_transaction("ada", lambda transaction: transaction.commit(call))
        return single, grouped

    assert with_database(database, test) == ([(value,)], [(value,)])
