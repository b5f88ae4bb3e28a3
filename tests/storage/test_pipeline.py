"""Statements of many requests on one connection: each gets its own rows, or its own error, and no other effect."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
import pytest
from psycopg import errors

from storage.driver.database import Database
from storage.driver.query import Row
from tests.support.driver import fetch, with_database
from tests.support.postgres import database_with

ENTRIES = """
    CREATE TABLE entries (number integer PRIMARY KEY, forbidden boolean NOT NULL DEFAULT false);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'refused %', NEW.number USING ERRCODE = 'restrict_violation'; END
    $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.forbidden) EXECUTE FUNCTION refuse();
    CREATE FUNCTION remark(number integer) RETURNS integer LANGUAGE plpgsql AS $$
        BEGIN RAISE NOTICE '%', repeat('noticed ', 1000); RETURN number; END
    $$;
"""
WRITE = "INSERT INTO entries (number) VALUES (:number) RETURNING number"
MEGABYTE = 1_000_000


class Failure(NamedTuple):
    """A statement that fails, and the error that it alone must get."""

    sql: str
    error: type[Exception]
    message: str


FAILURES = [
    Failure("SELECT missing_{0}", errors.UndefinedColumn, 'column "missing_{0}" does not exist'),
    Failure("SELECT missing, :number", errors.UndefinedColumn, 'column "missing" does not exist'),
    Failure("SELECT CAST('of ' || :number AS integer)", errors.InvalidTextRepresentation, '"of {0}"'),
    Failure(
        "INSERT INTO entries VALUES (:number) RETURNING CAST('by ' || number AS integer)",
        errors.InvalidTextRepresentation,
        '"by {0}"',
    ),
    Failure("INSERT INTO entries VALUES (:number, true) RETURNING number", errors.RestrictViolation, "refused {0}"),
    Failure("SELECT :number, date 'infinity'", psycopg.DataError, "date too large"),
]


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database with the table of entries."""
    return database_with(postgres, ENTRIES)


def entries(url: str) -> list[int]:
    """Return the numbers of all entries."""
    with psycopg.connect(url) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM entries ORDER BY number")]


@pytest.mark.parametrize("prepare", [True, False], ids=["prepared", "not prepared"])
def test_each_of_many_statements_gets_its_own_rows_or_its_own_error(url: str, prepare: bool) -> None:
    def failure(number: int) -> Failure:
        sql, error, message = FAILURES[number // 3 % len(FAILURES)]
        return Failure(sql.format(number), error, message.format(number))

    async def test(opened: Database) -> None:
        def send(number: int) -> asyncio.Task[Sequence[Row]]:
            sql = failure(number).sql if number % 3 == 0 else WRITE if number % 3 == 1 else "SELECT :number"
            of = f"user-{number}"
            return asyncio.create_task(fetch(opened.pipeline, sql, prepare=prepare, user_id=of, number=str(number)))

        outcomes = await asyncio.gather(*map(send, range(300)), return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            if number % 3 == 0:
                _, error, message = failure(number)
                assert isinstance(outcome, error)
                assert message in str(outcome)
            else:
                assert outcome == [(number if number % 3 == 1 else str(number),)]

    with_database(url, test)
    assert entries(url) == [number for number in range(300) if number % 3 == 1]


def test_statements_behind_one_that_cannot_be_prepared_get_its_error_too(url: str) -> None:
    async def test(opened: Database) -> None:
        same = [fetch(opened.pipeline, "SELECT missing", prepare=True) for _ in range(10)]
        assert {type(one) for one in await asyncio.gather(*same, return_exceptions=True)} == {errors.UndefinedColumn}

    with_database(url, test)


def test_rows_that_came_before_an_error_at_commit_are_not_returned(url: str) -> None:
    async def test(opened: Database) -> None:
        with pytest.raises(errors.RestrictViolation, match="refused 7"):
            await fetch(opened.pipeline, "INSERT INTO entries VALUES (7, true) RETURNING number")

    with_database(url, test)
    assert entries(url) == []


def test_notices_change_no_rows(url: str) -> None:
    async def test(opened: Database) -> None:
        remarks = [fetch(opened.pipeline, "SELECT remark(:number)", number=number) for number in range(50)]
        assert await asyncio.gather(*remarks) == [[(number,)] for number in range(50)]

    with_database(url, test)


def test_large_parameters_and_rows_come_through_among_small_ones(url: str) -> None:
    async def test(opened: Database) -> None:
        def send(number: int) -> asyncio.Task[Sequence[Row]]:
            value = str(number) * (5 * MEGABYTE if number in (3, 4) else 1)
            return asyncio.create_task(fetch(opened.pipeline, "SELECT :value, length(:value)", value=value))

        for number, rows in enumerate(await asyncio.gather(*map(send, range(10)))):
            length = 5 * MEGABYTE if number in (3, 4) else 1
            assert rows == [(str(number) * length, length)]

    # Enough for many times as much, if it is sent as soon as the socket takes it.
    with_database(url, test, statement_timeout=1)


def test_every_byte_comes_through_unchanged(url: str) -> None:
    every = bytes(range(256))

    async def test(opened: Database) -> None:
        assert await fetch(opened.pipeline, "SELECT CAST(:value AS bytea)", value=every) == [(every,)]

    with_database(url, test)


def test_results_of_several_megabytes_are_complete(url: str) -> None:
    pages = "SELECT CAST(:number AS integer), n, repeat('x', 1000) FROM generate_series(1, 3000) AS n"

    async def test(opened: Database) -> None:
        for number, rows in enumerate(
            await asyncio.gather(*(fetch(opened.pipeline, pages, number=n) for n in range(5)))
        ):
            assert rows == [(number, n, "x" * 1000) for n in range(1, 3001)]

    with_database(url, test)
