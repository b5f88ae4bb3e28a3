"""Cursors do not depend on the settings of a session: each page may come from a server with others."""

from datetime import UTC, datetime

import psycopg
import pytest

from storage.administration.migrations import migrate
from storage.clocks import Clock
from storage.driver.database import Database
from storage.task_filters import Filters
from storage.task_pages import ORDERS, Page, Position, Sort, list_tasks
from storage.tasks import Task
from tests.support.driver import fetch, held, with_database
from tests.support.postgres import new_database

# The times cross the changes to and from summer time in Europe and America.
TASKS = """
    INSERT INTO accounts VALUES ('ada', 60);
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, due_date, tags, created_at, updated_at)
    SELECT 'ada', gen_random_uuid(), n, 'Task ' || chr(64 + n % 7), false, n % 3 + 1,
        CASE WHEN n % 4 > 0 THEN date '2026-01-28' + n / 4 END, '{}',
        timestamptz '2026-03-28 22:00:00.000001Z' + n / 2 * interval '15 min',
        timestamptz '2026-11-01 08:00Z' - n * interval '15 min'
    FROM generate_series(1, 60) n
"""
CLOCK = Clock("Europe/Berlin", "monday", datetime(2026, 3, 28, 22, tzinfo=UTC))
SESSIONS = [
    ("Asia/Kolkata", "German, DMY"),
    ("America/New_York", "SQL, MDY"),
    ("Europe/Berlin", "Postgres, DMY"),
    ("UTC", "ISO, YMD"),
]


@pytest.fixture(scope="module")
def url(postgres: str) -> str:
    """Return the URL of a database in which Ada has 60 tasks."""
    url = new_database(postgres)
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(TASKS.encode())
    return url


@pytest.mark.parametrize("sort", ORDERS, ids=lambda sort: f"{sort.by}-{'desc' if sort.descending else 'asc'}")
def test_pages_from_sessions_with_different_settings_show_every_task_once(url: str, sort: Sort) -> None:
    async def page(opened: Database, session: tuple[str, str], start: Position | int, limit: int) -> Page:
        async with held(opened) as connection:
            for name, value in zip(("timezone", "datestyle"), session, strict=True):
                await fetch(connection, "SELECT set_config(:name, :value, true)", name=name, value=value)
            return await list_tasks(connection, "ada", Filters(clock=CLOCK), sort, limit=limit, start=start)

    async def test(opened: Database) -> None:
        whole = await page(opened, SESSIONS[-1], 0, 60)
        found: list[Task] = []
        position: Position | int | None = 0
        for session in SESSIONS * 3:
            if position is not None:
                part = await page(opened, session, position, 7)
                found += part.tasks
                position = part.next
        assert [task.id for task in found] == [task.id for task in whole.tasks]

    with_database(url, test)


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        (Sort("created_at", descending=False), "2026-03-28 22:00:00.000001+00:00"),
        (Sort("due_date", descending=False), "2026-01-28"),
        (Sort("due_date", descending=True), "-infinity"),
        (Sort("priority", descending=True), "1"),
        (Sort("title", descending=False), "task @"),
    ],
)
def test_a_cursor_has_a_key_that_the_previous_release_can_read(url: str, sort: Sort, key: str) -> None:
    async def test(opened: Database) -> str:
        limit = 59 if sort.descending else 1
        page = await list_tasks(opened.pipeline, "ada", Filters(), sort, limit=limit, start=0)
        assert page.next is not None
        return page.next.key

    assert with_database(url, test) == key
