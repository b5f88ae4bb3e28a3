"""How many bytes a task takes: its row, its long values in TOAST, and its entries in each index."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from storage import task_creation, task_updates, tasks
from storage.administration.migrations import migrate
from storage.driver.database import Database
from tests.load.machine import cpu_seconds, parent_of
from tests.load.output import progress, table, write
from tests.support.postgres import new_database

_AT_ONCE = 16
_BATCHES = 5
_LONGEST_TASKS = 1_000
# All tasks of some hundred users, in the order in which they were created.
_ORDINARY = f"""
    SELECT user_id, {", ".join(tasks.CHANGEABLE)} FROM (
        SELECT * FROM tasks WHERE deleted_at IS NULL ORDER BY md5(user_id) LIMIT 50000
    ) chosen ORDER BY created_at
"""  # noqa: S608 - names of columns
_SIZES = """
    SELECT 'row', pg_table_size(oid) - pg_total_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'tasks'
    UNION ALL SELECT 'TOAST', pg_total_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'tasks'
    UNION ALL SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes WHERE relname = 'tasks'
    UNION ALL SELECT 'all of it', pg_total_relation_size('tasks')
"""

# The id of a user, and the values of a new task.
New = tuple[str, Mapping[str, Any]]


def main(url: str, loaded: psycopg.Connection[Any]) -> None:
    """Print the bytes per task of the population that is loaded, and of tasks that the service's statements write."""
    ordinary = [(user, dict(zip(tasks.CHANGEABLE, of, strict=True))) for user, *of in loaded.execute(_ORDINARY)]
    longest = [_longest(number) for number in range(_LONGEST_TASKS)]
    columns = [_bytes(loaded), *(asyncio.run(_written(url, some)) for some in (ordinary, longest))]
    heads = ["loaded at once", "written one by one, then changed", "as long as the contract allows"]
    table(["bytes per task", *heads], [[part, *(f"{of[part]:,.0f}" for of in columns)] for part in columns[0]])
    (account,) = loaded.execute("SELECT pg_total_relation_size('accounts') / count(*) FROM accounts").fetchall()
    write(f"An account: {account[0]} bytes.")


def _longest(number: int) -> New:
    words = random.Random(number)  # noqa: S311 - the same tasks each time

    def text(length: int) -> str:
        return "".join(words.choices("abcdefghijklmnopqrstuvwxyz    ", k=length - 1)) + "."

    title, description, tags = text(200), text(10_000), [text(50) for _ in range(20)]
    values = {"title": title, "description": description, "tags": tags, "priority": 2, "due_date": None}
    return f"user {number % 10}", values | {"completed": False, "position": None}


async def _written(url: str, new: Sequence[New]) -> dict[str, float]:
    """Create the tasks in an empty database, complete each, vacuum now and then, and return the bytes per task."""
    made = new_database(url)
    migrate(made)
    limits: dict[str, Any] = {"pool_timeout": 60, "statement_timeout": 60, "prepared_statements": True}
    database = Database(made, min_size=1, max_size=10, **limits)
    await database.open()
    size = len(new) // _BATCHES
    with psycopg.connect(made, autocommit=True) as connection:
        for number in range(_BATCHES):
            progress(f"written one by one, batch {number + 1} of {_BATCHES}")
            await _write(database, new[number * size : (number + 1) * size])
            vacuum = _vacuum(connection)
        await database.close()
        cpu = f"{vacuum / size * 1e6:,.0f} µs of CPU for each task changed"
        write(f"{len(new):,} tasks: the last of {_BATCHES} vacuums took {cpu}.")
        return _bytes(connection)


async def _write(database: Database, new: Sequence[New]) -> None:
    left = iter(new)

    async def client() -> None:
        for user, values in left:
            task = await task_creation.create_task(database.pipeline, user, values)
            change = {"completed": not task.completed}
            await task_updates.update_task(database.pipeline, user, task.id, change, None)

    await asyncio.gather(*(client() for _ in range(_AT_ONCE)))


def _vacuum(connection: psycopg.Connection[Any]) -> float:
    """Do what autovacuum would do, and return its CPU time in seconds."""
    server = parent_of(connection.info.backend_pid)
    before = cpu_seconds(server)
    connection.execute("VACUUM ANALYZE")
    return cpu_seconds(server) - before


def _bytes(connection: psycopg.Connection[Any]) -> dict[str, float]:
    (tasks_,) = connection.execute("SELECT count(*) FROM tasks").fetchall()
    return {part: size / tasks_[0] for part, size in connection.execute(_SIZES.encode()).fetchall()}
