"""Rows of the table `lists`, as storage and its callers see them."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from storage.driver.query import Row
from storage.schema import lists


class TodoList(NamedTuple):
    """The columns of `lists` that callers see. Lists are in the order of `position`, by code points, then of `id`."""

    id: UUID
    user_id: str
    name: str
    color: str | None
    position: str
    archived: bool
    created_at: datetime
    updated_at: datetime
    revision: int

    def touched(self, revision: int, at: datetime) -> "TodoList":
        """Return the list with the stamp of a write. Its time never goes back, even if the database's clock does."""
        return self._replace(revision=revision, updated_at=max(at, self.updated_at))


class StoredList(NamedTuple):
    """A list, deleted or not."""

    list: TodoList
    deleted_at: datetime | None = None
    deletion_id: UUID | None = None
    erased_at: datetime | None = None

    @classmethod
    def of(cls, row: Row) -> "StoredList":
        """Return a row that has the columns of a list, and then the other ones."""
        return cls(TodoList._make(row[: len(columns)]), *row[len(columns) :])

    @property
    def is_live(self) -> bool:
        """Whether the list is not deleted."""
        return self.deleted_at is None

    @property
    def deletion(self) -> dict[str, Any]:
        """The columns about the deletion."""
        return {"deleted_at": self.deleted_at, "deletion_id": self.deletion_id, "erased_at": self.erased_at}


columns = [lists.c[name] for name in TodoList._fields]
every_column = [*columns, lists.c.deleted_at, lists.c.deletion_id, lists.c.erased_at]
"""The columns of a `StoredList`."""
