"""Updates and deletions of all tasks that match some filters."""

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Text, and_, bindparam, case, false, null, or_, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from storage import due
from storage.driver.database import Database
from storage.driver.query import Connection
from storage.idempotency import Key
from storage.schema import is_live, tasks
from storage.series import LEFT
from storage.set_changes import Outcome, change_set, check_size, count_set
from storage.set_series import move_series
from storage.set_statements import DELETED, Statements, statements
from storage.tags import without_repeats
from storage.task_filters import Filters, conditions
from storage.tasks import CHANGEABLE

MOST_UPDATED = 1_000
MOST_DELETED = 10_000
_TAG_CHANGES = frozenset({"add_tags", "remove_tags"})


@lru_cache(maxsize=1024)
def _update(filters: frozenset[str], names: frozenset[str]) -> Statements:
    new: dict[str, ColumnElement[Any]] = {name: _new(name, tasks.c[name].type) for name in CHANGEABLE if name in names}
    if names >= _TAG_CHANGES:
        added, removed = _new("add_tags", ARRAY(Text)), _new("remove_tags", ARRAY(Text))
        new["tags"] = without_repeats(tasks.c.tags.concat(added), removed)
    new |= _following_from_dates(new)
    wanted_list = new.get("list_id")
    if wanted_list is not None:
        new["list_id"] = case((tasks.c.parent_id.is_(None), wanted_list), else_=tasks.c.list_id)
    changes = or_(false(), *(tasks.c[name].is_distinct_from(value) for name, value in new.items()))
    of_series = _moves_series(new) if "completed" in new else None
    fixed: dict[str, Any] = {"wanted_list": wanted_list, "moves_series": of_series, "prepare": "search" not in filters}
    chosen = statements(_matching(filters), new, changes, **fixed)
    return chosen._replace(moves_instants=any(name in new for name in due.MEMBERS), moves_lists="list_id" in new)


def _following_from_dates(new: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """Return the times, zones and series of tasks with these new values: those without a date have none."""
    day = new.get("due_date", tasks.c.due_date)
    names = [name for name in ("due_time", "time_zone", *LEFT) if name in new or "due_date" in new]
    return {name: case((day.is_(None), null()), else_=new.get(name, tasks.c[name])) for name in names}


def _moves_series(new: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return whether a task with these new values has one occurrence more or less."""
    recurs = and_(tasks.c.recurrence.is_not(None), new.get("due_date", tasks.c.due_date).is_not(None))
    return and_(recurs, tasks.c.completed != new["completed"])


def _new(name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    # Filters have parameters with the names of columns.
    return bindparam(f"new_{name}", type_=kind)


@lru_cache(maxsize=1024)
def _delete(filters: frozenset[str]) -> Statements:
    prepare = "search" not in filters
    return statements(_matching(filters), DELETED, true(), takes_subtasks=True, prepare=prepare)


def _matching(filters: Iterable[str]) -> list[ColumnElement[bool]]:
    return [is_live, *conditions(filters)]


def _update_of(filters: Filters, changes: Mapping[str, Any]) -> tuple[Statements, dict[str, Any]]:
    """Return the statements of an update, and their parameters."""
    names, values = filters.given()
    new = {f"new_{name}": value for name, value in changes.items()}
    return _update(names, frozenset(changes)), {**values, **new}


async def update_tasks(
    database: Database,
    user_id: str,
    filters: Filters,
    changes: Mapping[str, Any],
    key: Key | None,
    *,
    keep_next: bool,
) -> Outcome:
    """Update all tasks that match. A task for which no value differs keeps its revision.

    Subtasks follow a parent into another list, and are not counted. One whose parent stays where it is stays too.

    `changes` has new values for some of the names in CHANGEABLE. Instead of `tags`, it may have both `add_tags`, which
    come last, and `remove_tags`. `keep_next` is that of `task_updates.update_task`. Raises TooMany if more than
    MOST_UPDATED tasks match, TooManyTags, NoSuchList, SeriesMovedOn and KeyReused, and then changes nothing.
    """
    chosen, values = _update_of(filters, changes)
    check = partial(check_size, most=MOST_UPDATED)
    move = partial(move_series, user_id, changes, keep_next=keep_next)
    return await change_set(
        database, user_id, chosen, values, most=MOST_UPDATED, check=check, key=key, move_series=move
    )


async def count_updates(connection: Connection, user_id: str, filters: Filters, changes: Mapping[str, Any]) -> Outcome:
    """Return what `update_tasks` would do if it had no limit. Raises TooManyTags and NoSuchList."""
    return await count_set(connection, user_id, *_update_of(filters, changes))


async def delete_tasks(database: Database, user_id: str, filters: Filters, key: Key | None) -> Outcome:
    """Move all tasks that match to the trash, with their subtasks, under one `deletion_id`.

    Raises TooMany if more than MOST_DELETED tasks match, and KeyReused, and then deletes nothing.
    """
    names, values = filters.given()
    values["deletion_id"] = uuid4()
    check = partial(check_size, most=MOST_DELETED)
    return await change_set(database, user_id, _delete(names), values, most=MOST_DELETED, check=check, key=key)


async def count_deletions(connection: Connection, user_id: str, filters: Filters) -> Outcome:
    """Return what `delete_tasks` would do if it had no limit."""
    names, values = filters.given()
    return await count_set(connection, user_id, _delete(names), values)
