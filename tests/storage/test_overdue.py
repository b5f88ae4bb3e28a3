"""A task is overdue from the second at which it is due, when the entity tag of the list changes."""

from datetime import UTC, datetime, timedelta

from storage.clocks import Clock
from storage.driver.database import Database
from storage.task_filters import Filters
from storage.task_pages import Sort, list_tasks
from tests.support.client import User
from tests.support.driver import with_database

DUE = datetime(2026, 1, 1, 9, tzinfo=UTC)


def test_a_task_is_overdue_from_the_second_at_which_it_is_due(database: str, ada: User) -> None:
    ada.create("in a zone", due_date="2026-01-01", due_time="09:00", time_zone="UTC")
    ada.create("floating", due_date="2026-01-01", due_time="09:00")
    ada.create("all day", due_date="2026-01-01")

    async def overdue(opened: Database, at: datetime) -> list[str]:
        filters = Filters(due="overdue", clock=Clock("UTC", "monday", at))
        order = Sort("position", descending=False)
        page = await list_tasks(opened.pipeline, ada.id, filters, order, limit=10, start=0)
        return [task.title for task in page.tasks]

    async def test(opened: Database) -> None:
        midnight = DUE.replace(hour=0) + timedelta(days=1)
        assert await overdue(opened, DUE - timedelta(seconds=1)) == []
        assert await overdue(opened, DUE) == ["in a zone", "floating"]
        assert await overdue(opened, midnight - timedelta(seconds=1)) == ["in a zone", "floating"]
        assert await overdue(opened, midnight) == ["in a zone", "floating", "all day"]

    with_database(database, test)
