"""Prepared statements: which statements have one, what replaces one that is stale, and a service that has none."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from storage.administration.migrations import migrate
from storage.driver.database import Database
from storage.task_filters import Filters
from storage.task_pages import Sort, list_tasks
from tests.support.client import User
from tests.support.driver import fetch, until_held_up, with_database
from tests.support.pgbouncer import needs_pgbouncer, run_pgbouncer
from tests.support.postgres import new_database
from tests.support.server import serve
from tests.support.sessions import Observer, until

NEWEST_FIRST = Sort("created_at", descending=True)


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database."""
    return new_database(postgres)


async def prepared(opened: Database) -> list[str]:
    """Return the texts of the statements that the only connection has prepared."""
    return [sql for (sql,) in await fetch(opened.pipeline, "SELECT statement FROM pg_prepared_statements")]


async def numbered(opened: Database, number: int) -> int:
    """Run a statement of which each number has one of its own, prepared if the database allows it."""
    ((value,),) = await fetch(opened.pipeline, f"SELECT {number}", prepare=True)
    return int(value)


def test_a_statement_is_prepared_once_at_its_first_use(url: str) -> None:
    async def test(opened: Database) -> None:
        assert await asyncio.gather(*(numbered(opened, 1) for _ in range(20))) == [1] * 20
        assert await prepared(opened) == ["SELECT 1"]

    with_database(url, test)


def test_each_connection_prepares_a_statement_of_its_own(url: str, observer: Observer) -> None:
    waits = "SELECT name FROM pg_prepared_statements, pg_advisory_xact_lock_shared(1)"

    async def test(opened: Database) -> None:
        sent = []
        with observer.gate():
            for user in "ada", "grace":
                sent.append(asyncio.create_task(fetch(opened.pipeline, waits, prepare=True, user_id=user)))
                await until(lambda: len(observer.waiting()) == len(sent))
                await until_held_up(opened)
        # Each of the two connections sees one prepared statement, and they have different names.
        (first,), (second,) = await asyncio.gather(*sent)
        assert first != second

    with_database(url, test, connections=2)


def test_a_search_is_not_prepared_and_other_operations_are(url: str) -> None:
    migrate(url)

    async def test(opened: Database) -> None:
        for search in None, "milk":
            for _ in range(10):
                await list_tasks(opened.pipeline, "ada", Filters(search=search), NEWEST_FIRST, limit=10, start=0)
        (page,) = await prepared(opened)
        assert "LIKE" not in page

    with_database(url, test)


def test_without_prepared_statements_none_is_prepared(url: str) -> None:
    async def test(opened: Database) -> None:
        for _ in range(10):
            assert await numbered(opened, 1) == 1
        assert await prepared(opened) == []

    with_database(url, test, prepared_statements=False)


@needs_pgbouncer
def test_without_prepared_statements_many_statements_at_once_pass_through_pgbouncer(url: str) -> None:
    async def answer(opened: Database, number: int) -> object:
        sql = "SELECT 1 / (:number % 5), :number" if number % 2 else "SELECT 1, CAST(:number AS integer)"
        try:
            rows = await fetch(opened.pipeline, sql, prepare=True, user_id=f"user-{number % 7}", number=number)
        except errors.DivisionByZero:
            return "division by zero"
        return rows[0][1]

    async def test(opened: Database) -> None:
        for start in range(0, 500, 50):
            numbers = range(start, start + 50)
            expected = ["division by zero" if number % 10 == 5 else number for number in numbers]
            assert await asyncio.gather(*(answer(opened, number) for number in numbers)) == expected

    with run_pgbouncer(url) as pooled:
        with_database(pooled, test, connections=5, prepared_statements=False)


@needs_pgbouncer
def test_behind_a_connection_pooler_a_connection_carries_one_statement_at_a_time(url: str) -> None:
    async def test(opened: Database) -> set[int]:
        asked = [asyncio.create_task(fetch(opened.pipeline, "SELECT 1", prepare=True)) for _ in range(40)]
        depths = set()
        while not all(one.done() for one in asked):
            depths |= {len(one.in_flight) for one in opened.pipeline._connections}
            await asyncio.sleep(0)
        assert [one.result() for one in asked] == [[(1,)]] * 40
        return depths

    with run_pgbouncer(url) as pooled:
        assert max(with_database(pooled, test, prepared_statements=False)) == 1
        assert max(with_database(pooled, test)) == 1
    assert max(with_database(url, test)) > 1


def test_an_altered_table_fails_no_request(url: str, tmp_path: Path) -> None:
    with serve(tmp_path, DATABASE_URL=url) as server, User(server, "ada") as ada:
        task = ada.create("kept", priority="High")
        path = f"/tasks/{task['id']}"
        assert [ada.get(one).status_code for one in ("/tasks", path, "/tasks", path)] == [200] * 4
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE tasks ALTER COLUMN priority TYPE integer")
        assert ada.get(path).json() == task
        assert ada.get("/tasks").json()["tasks"] == [task]
        assert ada.patch(task["id"], {"priority": "Low"}).json()["priority"] == "Low"


def test_a_stale_plan_is_replaced_even_if_another_connection_has_one_too(url: str, observer: Observer) -> None:
    observer.execute("CREATE TABLE numbers AS SELECT 1 AS number")

    async def read(opened: Database) -> object:
        return await fetch(opened.pipeline, "SELECT number FROM numbers", prepare=True)

    async def test(opened: Database) -> None:
        for new_type in ("bigint", "integer") * 10:
            with observer.gate():
                # Holds one connection, so that the other one prepares the statement.
                held = asyncio.create_task(
                    fetch(opened.pipeline, "SELECT pg_advisory_xact_lock_shared(1)", user_id="grace")
                )
                await until(observer.waiting)
                await read(opened)
            await held
            await asyncio.gather(read(opened), read(opened))
            observer.execute(f"ALTER TABLE numbers ALTER number TYPE {new_type}")
            first, *rows = await asyncio.gather(numbered(opened, 7), read(opened), read(opened), read(opened))
            assert first == 7
            assert rows == [[(1,)]] * 3

    with_database(url, test, connections=2)


def test_statements_that_the_server_has_dropped_are_prepared_again(url: str) -> None:
    async def test(opened: Database) -> None:
        for _ in range(3):
            for _ in range(2):
                assert await asyncio.gather(*(numbered(opened, number) for number in range(5))) == [*range(5)]
            assert sorted(await prepared(opened)) == [f"SELECT {number}" for number in range(5)]
            await fetch(opened.pipeline, "DEALLOCATE ALL")

    with_database(url, test)


def test_more_statements_than_a_connection_prepares_all_run(url: str) -> None:
    async def test(opened: Database) -> None:
        for _ in range(2):
            assert await asyncio.gather(*(numbered(opened, number) for number in range(150))) == [*range(150)]
        assert len(await prepared(opened)) == 100

    with_database(url, test)
