"""Where the server cannot tell what has changed since a token it says so with 410, and never with an empty page."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from storage import changes as feed
from storage.driver.database import Database
from storage.driver.query import Connection, Query, Row
from storage.errors import SyncReset
from tests.support.changes import ask, changes, purge
from tests.support.client import User
from tests.support.driver import with_database


def is_reset(user: User, token: str) -> bool:
    """Return whether a token is answered with 410, and with what to do."""
    response = ask(user, token)
    if response.status_code == 200:
        return False
    problem = response.json()
    assert (response.status_code, problem["type"]) == (410, "urn:problem-type:todo-api:sync-reset")
    for words in ("Keep the edits", "download everything again without a token", "apply these edits"):
        assert words in problem["detail"]
    return True


def parts(user: User) -> list[int]:
    """Return the parts of the user's token: epoch, revision, baseline."""
    return list(map(int, changes(user)["sync_token"].split(".")))


def test_a_token_of_another_epoch(ada: User) -> None:
    ada.create()
    epoch, revision, baseline = parts(ada)
    for other in epoch - 1, epoch + 1, 0:
        assert is_reset(ada, f"{other}.{revision}.{baseline}")


def test_a_token_that_is_ahead(ada: User) -> None:
    ada.create()
    ada.create()
    epoch, revision, _ = parts(ada)
    assert revision == 2
    assert is_reset(ada, f"{epoch}.3.0")
    assert is_reset(ada, f"{epoch}.1.3")
    assert is_reset(ada, f"{epoch}.{10**19 - 1}.0")
    assert is_reset(ada, f"{epoch}.1.{10**19 - 1}")
    assert not is_reset(ada, f"{epoch}.1.2")


def test_a_token_of_another_user(ada: User, grace: User) -> None:
    ada.create()
    grace.create()
    assert is_reset(grace, changes(ada)["sync_token"])


def test_the_token_of_an_account_that_is_not_there(ada: User) -> None:
    assert is_reset(ada, "1.1.0")
    assert is_reset(ada, "0.1.0")


def test_the_token_of_a_user_who_has_never_written_belongs_to_every_epoch(ada: User) -> None:
    ada.create()
    for token in "0.0.0", "1.0.0", f"0.0.{10**19 - 1}":
        assert ask(ada, token).json() == changes(ada)


def test_a_token_of_before_a_deletion_that_was_purged(ada: User, database: str) -> None:
    task = ada.create()
    before = changes(ada)["sync_token"]
    ada.delete(task["id"])
    after = changes(ada)["sync_token"]
    assert not is_reset(ada, before)
    purge(database, ada)
    assert is_reset(ada, before)
    assert not is_reset(ada, after)
    ada.create()
    assert len(changes(ada, after)["tasks"]) == 1


class _PurgesBetween:
    """A connection of a client that has looked at the head when deletions are purged."""

    def __init__(self, connection: Connection, user: User, database: str) -> None:
        self._connection, self._user, self._database = connection, user, database

    async def run(self, query: Query, parameters: Mapping[str, Any]) -> Sequence[Row]:
        if query is feed._PAGE:
            await asyncio.to_thread(purge, self._database, self._user)
        return await self._connection.run(query, parameters)


def test_a_deletion_that_is_purged_between_head_and_page(ada: User, database: str) -> None:
    task = ada.create()
    token = feed.SyncToken(*parts(ada))
    ada.delete(task["id"])
    ada.create()

    async def test(opened: Database) -> None:
        await feed.list_changes(_PurgesBetween(opened.pipeline, ada, database), ada.id, token, 10)

    with pytest.raises(SyncReset):
        with_database(database, test)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "0",
        "0.0",
        "1.2.0.0",
        "1.2.x",
        "1.2.",
        "01.2.0",
        "1.02.0",
        "1.2.00",
        "-1.2.0",
        "+1.2.0",
        " 1.2.0",
        "1.2.0\n",
        "1_0.2.0",
        "1e3.2.0",
        "\u0661.2.0",
        "1.2.0,1.2.0",
        f"{10**19}.2.0",
        "1." * 40,
    ],
)
def test_a_damaged_token_is_an_error_of_the_client(ada: User, token: str) -> None:
    response = ask(ada, token)
    assert (response.status_code, response.json()["errors"][0]["name"]) == (400, "sync_token")
