"""The bench's database: a private PostgreSQL with tasks loaded by COPY."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from storage.administration.embedded import run_postgres
from storage.administration.migrations import migrate
from tests.load.output import progress
from tests.support.postgres import reachable_directory

READER = "reader"
OTHERS = [f"other-{number}" for number in range(199)]
WRITER = "writer"
# Of all accounts, so that sync tokens are known in advance.
EPOCH = 1
RARE_WORD = "platypus"
_WORDS = [
    "call",
    "buy",
    "write",
    "send",
    "read",
    "pay",
    "fix",
    "plan",
    "book",
    "clean",
    "order",
    "review",
    "milk",
    "report",
    "car",
    "house",
    "tax",
    "garden",
    "bike",
]
_TAGS = ["home", "work", "shopping", "urgent", "someday", "family", "health", "money", "travel", "garden"]
_SETTINGS = {
    "synchronous_commit": "off",
    "shared_buffers": "'512MB'",
    "max_wal_size": "'8GB'",
    "checkpoint_timeout": "'1h'",
    # It could slow down the server whose round it falls into. Tables are vacuumed before each operation instead.
    "autovacuum": "off",
}
_COLUMNS = "user_id, id, revision, title, description, completed, completed_at, priority, due_date, tags, position, "
_COLUMNS += "created_at, updated_at"
_START = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL configured for benchmarks, and yield the URL of a database with empty tables."""
    with reachable_directory() as directory:
        with run_postgres(directory / "postgresql") as url, psycopg.connect(url, autocommit=True) as connection:
            for name, value in _SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        with run_postgres(directory / "postgresql") as url:
            migrate(url)
            yield url


def task_id(user: int, number: int) -> UUID:
    """Return the UUID (version 7, RFC 9562) of a user's task, both given by number. Ids sort in order of creation."""
    return UUID(f"019b0000-{number >> 16:04x}-7{number >> 4 & 0xFFF:03x}-8{number & 0xF:x}00-{user:012x}")


def load(url: str, users: Mapping[str, int]) -> None:
    """Load the given number of tasks for each user."""
    with psycopg.connect(url, autocommit=True) as connection:
        with without_indexes(connection), connection.cursor() as cursor:
            with cursor.copy(f"COPY tasks ({_COLUMNS}) FROM STDIN".encode()) as copy:
                for number, (user, tasks) in enumerate(users.items()):
                    for row in _tasks(user, number, tasks):
                        copy.write_row(row)
            with cursor.copy("COPY accounts (user_id, revision, epoch) FROM STDIN") as copy:
                for user, tasks in users.items():
                    copy.write_row((user, max(tasks, 1), EPOCH))
        connection.execute("VACUUM ANALYZE")


@contextmanager
def without_indexes(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Drop the indexes on tasks, and recreate them at the end: that is much faster than updating them row by row."""
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'tasks' AND indexname <> 'tasks_pkey'"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}".encode())
    yield
    for name, definition in indexes:
        progress(f"creating the index {name}")
        connection.execute(definition.encode())


def _tasks(user: str, number: int, count: int) -> Iterator[tuple[Any, ...]]:
    rng = random.Random(number)  # noqa: S311 - the same tasks each time
    for index in range(count):
        at = _START + timedelta(seconds=index, microseconds=rng.randrange(1_000_000))
        rare = f" {RARE_WORD}" if index % 333 == 7 else ""
        completed = rng.random() < 0.3
        yield (
            user,
            task_id(number, index),
            index + 1,
            " ".join(rng.choices(_WORDS, k=4)).capitalize() + rare,
            " ".join(rng.choices(_WORDS, k=12)) if rng.random() < 0.7 else None,
            completed,
            at if completed else None,
            rng.randint(1, 3),
            date(2026, 1, 1) + timedelta(days=rng.randrange(365)) if rng.random() < 0.5 else None,
            rng.sample(_TAGS, rng.randrange(4)),
            f"m{index + 1:012x}",
            at,
            at,
        )
