"""What users cost PostgreSQL: the CPU time of each statement, and the bytes of a task.

Only the CPU time of PostgreSQL's own processes counts, so other programs on the machine matter little.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from storage import changes, task_creation, task_pages, task_updates, tasks
from storage.driver.database import Database
from storage.driver.pipeline import Pipeline
from storage.task_filters import Filters
from storage.task_pages import Position, Sort
from tests.load import bytes_of_tasks
from tests.load.data import postgres
from tests.load.machine import cpu_seconds, describe, parent_of
from tests.load.output import progress, spread, table, write
from tests.load.population import RARE, SIZES, load

_ROUNDS = 3
_AT_ONCE = 16
_NEW_TASK = {
    "title": "Buy milk",
    "description": "Two litres, the oat one",
    "completed": False,
    "priority": 3,
    "due_date": None,
    "due_time": None,
    "time_zone": None,
    "tags": ["home", "food"],
    "position": None,
}
# In the middle of every user's tasks.
_MIDDLE = Position("2025-11-01 00:00:00+00", UUID(int=0))
# Tasks of up to 200 users of about this size.
_OWN = """
    SELECT user_id, id
    FROM tasks JOIN (
        SELECT user_id FROM accounts WHERE revision BETWEEN 0.95 * %(size)s AND 1.05 * %(size)s LIMIT 200
    ) users USING (user_id)
    WHERE deleted_at IS NULL
    ORDER BY md5(id::text)
    LIMIT 2000
"""
# The population's own tasks were created earlier.
_FORGET = "DELETE FROM tasks WHERE created_at > now() - interval '1 day'"
_RESTORE = """
    UPDATE tasks SET deleted_at = NULL FROM unnest(%s::text[], %s::uuid[]) AS own (user_id, id)
    WHERE tasks.user_id = own.user_id AND tasks.id = own.id AND deleted_at IS NOT NULL
"""


class Target(NamedTuple):
    """What a statement is run for: a task of a user, and a number that differs from call to call."""

    user: str
    task: UUID
    number: int


Own = Sequence[tuple[str, UUID]]
Call = Callable[[Pipeline, Target], Awaitable[object]]


def _page(start: Position | int = 0, search: str | None = None) -> Call:
    filters, newest_first = Filters(search=search), Sort("created_at", descending=True)
    return lambda on, of: task_pages.list_tasks(on, of.user, filters, newest_first, limit=50, start=start)


class Statement(NamedTuple):
    """A measured statement. It is run `times` for each task, more often if it is too short for the kernel's clock."""

    name: str
    call: Call
    times: int = 1
    is_write: bool = False


STATEMENTS = (
    Statement("poll, 304", lambda on, of: changes.get_head(on, of.user), times=10),
    Statement("get", lambda on, of: tasks.get_task(on, of.user, of.task), times=10),
    Statement("list of 50, with the total", _page()),
    Statement("next page of 50", _page(_MIDDLE)),
    Statement("search for a rare word", _page(search=RARE)),
    Statement("create", lambda on, of: task_creation.create_task(on, of.user, _NEW_TASK), is_write=True),
    Statement("change", lambda on, of: task_updates.update_task(on, of.user, of.task, _title(of), None), is_write=True),
    Statement("delete", lambda on, of: tasks.delete_task(on, of.user, of.task, None), is_write=True),
)


def _title(of: Target) -> dict[str, str]:
    return {"title": f"Buy milk for the {of.number}. time"}


class Bench(NamedTuple):
    """A database, a connection that readies it for a round, and the process id of PostgreSQL."""

    database: Database
    control: psycopg.Connection[Any]
    server: int

    async def microseconds(self, statement: Statement, own: Own, at_once: int) -> float:
        """Run a statement for each of the tasks, and return PostgreSQL's CPU time for one, in µs."""
        calls = enumerate([*own] * statement.times)

        async def client() -> None:
            for number, (user, task) in calls:
                await statement.call(self.database.pipeline, Target(user, task, number))

        before = cpu_seconds(self.server)
        await asyncio.gather(*(client() for _ in range(at_once)))
        spent = cpu_seconds(self.server) - before
        if statement.is_write:
            self._undo(own)
        return spent / (len(own) * statement.times) * 1e6

    def _undo(self, own: Own) -> None:
        """Remove the tasks that were created, and restore those that were deleted."""
        self.control.execute(_FORGET)
        self.control.execute(_RESTORE, [[user for user, _ in own], [task for _, task in own]])
        self.control.execute("VACUUM accounts, tasks")

    async def rounds(self, statement: Statement, own: Own, at_once: int = 1) -> str:
        """Measure a statement, and return the median and the spread."""
        await self.microseconds(statement, own[:200], at_once)  # a warm-up
        found = spread([await self.microseconds(statement, own, at_once) for _ in range(_ROUNDS)], 0)
        progress(f"{statement.name}, {at_once} at once: {found}")
        return found


async def _measure(url: str, control: psycopg.Connection[Any]) -> list[list[str]]:
    limits: dict[str, Any] = {"pool_timeout": 60, "statement_timeout": 60, "prepared_statements": True}
    database = Database(url, min_size=1, max_size=10, **limits)
    await database.open()
    bench = Bench(database, control, parent_of(control.info.backend_pid))
    sizes: list[Own] = [control.execute(_OWN, {"size": size}).fetchall() for size in SIZES]
    rows = [
        [one.name, *[await bench.rounds(one, own) for own in sizes], await bench.rounds(one, sizes[0], _AT_ONCE)]
        for one in STATEMENTS
    ]
    await database.close()
    return rows


def main() -> None:
    """Measure the bytes of tasks and the CPU time of statements, and print a table of each."""
    with postgres() as url, psycopg.connect(url, autocommit=True) as control:
        # As in production: each commit is flushed to disk.
        control.execute("ALTER SYSTEM SET synchronous_commit = on")
        control.execute("SELECT pg_reload_conf()")
        write("\n".join(f"- {line}" for line in describe(control.info.parameter_status("server_version") or "?")))
        load(url)
        bytes_of_tasks.main(url, control)
        rows = asyncio.run(_measure(url, control))
    sizes = [f"{size:,} tasks" for size in SIZES]
    table(["CPU of PostgreSQL, µs", *sizes, f"{SIZES[0]} tasks, {_AT_ONCE} at once"], rows)
