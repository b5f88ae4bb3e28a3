"""The list that a task is in: a live task is in a live list or in none, whatever two devices do at once.

A statement that puts a task into a list locks the list's row after the account. While it waited for the account,
another device may have deleted the list, and only a row that is locked is read as it is now.
"""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Uuid, bindparam, exists, literal_column, or_, select

from storage import accounts
from storage.driver.query import Query
from storage.errors import NoSuchList
from storage.schema import is_live_list, lists, tasks


class _InList(Protocol):
    @property
    def list_id(self) -> UUID | None: ...


_Task = TypeVar("_Task", bound=_InList)
_one: ColumnElement[Any] = literal_column("1")


IDS = Query(select(lists.c.id).where(lists.c.user_id == accounts.owner, is_live_list))
"""Finds the ids of the user's lists."""


def _locked(list_id: ColumnElement[Any]) -> CTE:
    """Return a CTE with the list of this id, deleted or not, which locks the account first."""
    has_account = exists(select(_one).select_from(accounts.lock))
    row = select(lists.c.id, lists.c.deleted_at).where(
        lists.c.user_id == accounts.owner, lists.c.id == list_id, has_account
    )
    return row.with_for_update(of=lists).cte("list")


_named = _locked(bindparam("list_id", type_=Uuid))
is_there = exists(select(_one).select_from(_named).where(_named.c.deleted_at.is_(None)))
"""Whether the user has the list that the parameter `list_id` names."""


def is_none_or_there(list_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether an id is NULL or that of a list of the user, for a statement that follows the account's lock."""
    own = select(_one).where(lists.c.user_id == accounts.owner, lists.c.id == list_id, is_live_list)
    return or_(list_id.is_(None), exists(own))


def if_there(old: CTE) -> ColumnElement[Any]:
    """Return the `list_id` of a locked task, or NULL if the list is deleted."""
    found = _locked(select(old.c.list_id).scalar_subquery())
    return select(found.c.id).where(found.c.deleted_at.is_(None)).scalar_subquery()


kept = (
    select(lists.c.id)
    .where(lists.c.user_id == accounts.owner, lists.c.id == tasks.c.list_id, is_live_list)
    .correlate(tasks)
    .scalar_subquery()
)
"""What `if_there` returns, for an update of tasks that follows the account's lock."""


def checked(task: _Task, values: Mapping[str, Any]) -> _Task:
    """Return a task after a write of these values, which is not in the wanted list if that is not there.

    Raises NoSuchList.
    """
    if values.get("list_id", task.list_id) != task.list_id:
        raise NoSuchList
    return task
