"""The feed of changes, as a client reads it that keeps a copy of its user's tasks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import psycopg

from storage.driver.database import Database
from storage.purging import purge_trash
from tests.support.client import Json, User
from tests.support.driver import with_database

LONG_AGO = "UPDATE {} SET deleted_at = now() - interval '90 days' WHERE user_id = %s AND deleted_at IS NOT NULL"


def ask(user: User, token: str | None = None, **query: Any) -> httpx.Response:
    """Ask what has changed since a token, and return the response, whatever it is."""
    since = {} if token is None else {"sync_token": token}
    return user.get("/changes", params=since | query)


def changes(user: User, token: str | None = None, **query: Any) -> Json:
    """Return one page of changes."""
    response = ask(user, token, **query)
    assert response.status_code == 200, response.text
    return response.json()


def pages(user: User, token: str | None = None, **query: Any) -> Iterator[Json]:
    """Yield pages of changes to the end."""
    has_more = True
    while has_more:
        page = changes(user, token, **query)
        yield page
        token, has_more = page["sync_token"], page["has_more"]


class Copy:
    """A client's copy of its user's tasks and lists, by their ids."""

    def __init__(self, token: str | None = None) -> None:
        self.tasks: dict[str, Json] = {}
        self.lists: dict[str, Json] = {}
        self.token = token

    def apply(self, page: Json) -> None:
        """Apply one page of changes."""
        self.tasks |= {task["id"]: task for task in page["tasks"]}
        for deleted in page["deleted"]:
            self.tasks.pop(deleted["id"], None)
        self.lists |= {one["id"]: one for one in page["lists"]}
        for deleted in page["deleted_lists"]:
            self.lists.pop(deleted["id"], None)
        self.token = page["sync_token"]

    def catch_up(self, user: User, **query: Any) -> None:
        """Apply all changes that there are."""
        for page in pages(user, self.token, **query):
            self.apply(page)


def listed(user: User) -> dict[str, Json]:
    """Return all tasks of a user who has at most 1,000, by their ids, as lists return them."""
    found: dict[str, Json] = {}
    offset = 0
    while tasks := user.get("/tasks", params={"offset": offset, "limit": 100}).json()["tasks"]:
        found |= {task["id"]: task for task in tasks}
        offset += len(tasks)
    return found


def purge(database: str, user: User) -> None:
    """Purge all tasks and lists that the user has deleted, as if that had been long ago."""
    with psycopg.connect(database) as connection:
        for table in "tasks", "lists":
            connection.execute(LONG_AGO.format(table), [user.id])
    with_database(database, _purge)


async def _purge(opened: Database) -> None:
    async for _ in purge_trash(opened, timedelta(days=60)):
        pass
