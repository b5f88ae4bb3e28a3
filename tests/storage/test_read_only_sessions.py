"""Sessions that began while the database was read-only, and stay so when it is writable again."""

import asyncio
from collections.abc import Callable, Coroutine

import psycopg
import pytest
from sqlalchemy import text

from storage.driver.database import Database
from storage.driver.query import Query
from storage.errors import Unavailable
from tests.support.driver import fetch, with_database
from tests.support.postgres import database_with
from tests.support.sessions import Observer, until

WRITE = "INSERT INTO entries VALUES (1) RETURNING number"
Write = Callable[[Database], Coroutine[None, None, object]]


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database with a table of entries."""
    return database_with(postgres, "CREATE TABLE entries (number integer NOT NULL)")


async def write_alone(opened: Database) -> object:
    """Write with a single statement."""
    return await fetch(opened.pipeline, WRITE, user_id="ada")


async def write_in_transaction(opened: Database) -> object:
    """Write with a transaction."""
    return await opened.in_transaction("ada", lambda transaction: transaction.commit((Query(text(WRITE)), {})))


def change(url: str, action: str) -> None:
    """Change the database, by the end of an ALTER DATABASE, for sessions that begin later."""
    with psycopg.connect(url, options="-c default_transaction_read_only=off", autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" {action}'.encode())


@pytest.mark.parametrize("write", [write_alone, write_in_transaction])
def test_writes_succeed_soon_after_the_database_is_writable_again(url: str, observer: Observer, write: Write) -> None:
    async def test(opened: Database) -> None:
        await fetch(opened.pipeline, "SELECT 1", user_id="ada")
        first = observer.backends()
        with pytest.raises(Unavailable, match="read-only"):
            await write(opened)
        # The session that replaces the first is read-only as well.
        await until(lambda: observer.backends() and not first & observer.backends())
        change(url, "RESET default_transaction_read_only")
        if not await succeeds(write(opened)):
            await asyncio.sleep(1.5)
            await write(opened)

    change(url, "SET default_transaction_read_only = on")
    with_database(url, test)


async def succeeds(writing: Coroutine[None, None, object]) -> bool:
    """Return whether a write succeeds, instead of failing with Unavailable."""
    try:
        await writing
    except Unavailable:
        return False
    return True


def test_while_the_database_is_read_only_connections_are_seldom_replaced(
    url: str, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.driver.pipeline._RENEW_SECONDS", 60)

    async def test(opened: Database) -> None:
        await fetch(opened.pipeline, "SELECT 1", user_id="ada")
        before = observer.backends()
        assert not await succeeds(write_alone(opened))
        await until(lambda: observer.backends() and not before & observer.backends())
        await fetch(opened.pipeline, "SELECT 1", user_id="ada")
        after = observer.backends()
        for write in (write_alone, write_in_transaction, write_alone):
            assert not await succeeds(write(opened))
        await fetch(opened.pipeline, "SELECT 1", user_id="ada")
        assert observer.backends() == after

    change(url, "SET default_transaction_read_only = on")
    with_database(url, test)
