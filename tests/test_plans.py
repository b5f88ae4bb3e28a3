"""In the default order, a page costs the same however far from the first it is."""

from typing import Any

import psycopg
import pytest

from storage.lists import Position, Sort, _query
from storage.migrations import migrate
from tests.postgres import new_database

TASKS = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)
    SELECT 'ada', ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n, 'task ' || n, false, 2, '{}',
           timestamptz '2026-01-01' + n * interval '1 second', now()
    FROM generate_series(1, 40000) n
"""


@pytest.fixture(scope="module")
def connection(postgres: str) -> Any:
    """Yield a connection to a database in which Ada has 40,000 tasks."""
    url = new_database(postgres)
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TASKS)
        connection.execute("VACUUM ANALYZE tasks")
        yield connection


def nodes(plan: Any) -> list[Any]:
    """Return a plan and all plans below it."""
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


def explain(connection: psycopg.Connection[Any], after: int) -> list[Any]:
    """Return the plans of the page after a task."""
    row = connection.execute(
        "SELECT created_at::text, id FROM tasks WHERE user_id = 'ada' AND revision = %s", [after]
    ).fetchone()
    assert row is not None
    query = _query(frozenset(), Sort("created_at", descending=True), after_position=True)
    values = query.values(user_id="ada", limit=51, **Position(*row)._asdict())
    cursor = psycopg.RawCursor(connection)
    explained = cursor.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query.sql, values).fetchone()
    assert explained is not None
    return nodes(explained[0][0]["Plan"])


@pytest.mark.parametrize("after", [39_950, 20_000, 100])
def test_a_page_of_the_default_order_is_read_from_the_index(connection: Any, after: int) -> None:
    plans = explain(connection, after)
    assert plans[0]["Shared Hit Blocks"] + plans[0]["Shared Read Blocks"] < 30
    (scan,) = [plan for plan in plans if plan.get("Relation Name") == "tasks"]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "tasks_by_created_at")
    assert scan["Actual Rows"] <= 51
    assert "ROW(created_at, id) < ROW(" in scan["Index Cond"]
