"""Tasks: create a single task, and its next occurrence with it if it recurs and is completed already."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from uuid6 import uuid7

from storage import accounts, list_of_task, series
from storage.driver.query import Connection, Query
from storage.errors import NoSuchList
from storage.series import Now, Step
from storage.tasks import (
    RECURRING,
    WRITTEN,
    Task,
    columns,
    created,
    followed,
    following,
    parameters_for,
    preferred_zone_of,
)


@lru_cache(maxsize=8)
def _create(names: Sequence[str], *, in_list: bool, has_next: bool) -> Query:
    """Return the statement that creates a task, which returns no row if it is to be in a list that is not there."""
    writes = 1 + has_next
    stamp = accounts.bump_or_open_if(list_of_task.is_there, writes) if in_list else accounts.bump_or_open(writes)
    made = created(parameters_for(names), stamp).returning(*columns)
    if not has_next:
        return Query(made)
    this = made.cte("created")
    return Query(select(*this.c).add_cte(followed(this)))


for _in_list in (False, True):
    _create(WRITTEN, in_list=_in_list, has_next=False)


async def create_task(connection: Connection, user_id: str, values: Mapping[str, Any]) -> Task:
    """Store a new task and return it. One that recurs and is completed already also gets its next occurrence.

    `values` has a value for each name in CHANGEABLE; time, zone, position and recurrence may be absent. A parent is
    not checked. Raises NoSuchList, ImpossibleRecurrence and RecurringSubtask.
    """
    step = await first_step(connection, user_id, values)
    query = _create(names_of(step), in_list=values["list_id"] is not None, has_next=step.following is not None)
    parameters = {"user_id": user_id, "id": uuid7(), **step.values, **following(step.following)}
    row = await query.fetch_one(connection, **parameters)
    if row is None:
        raise NoSuchList
    return Task._make(row)


async def first_step(connection: Connection, user_id: str, values: Mapping[str, Any]) -> Step:
    """Return what creating a task with these values does. Raises ImpossibleRecurrence.

    If that creates the next occurrence too, the user has an account.
    """
    now, values = Now(datetime.now(UTC), None), {"position": None, **values}
    if not values["completed"] or values.get("recurrence") is None:
        return series.of_new_task(values, now)
    now = now._replace(time_zone=await preferred_zone_of(connection, user_id))
    step = series.of_new_task(values, now)
    if step.following is not None:
        await accounts.OPEN.fetch_all(connection, user_id=user_id)
    return step


def names_of(step: Step) -> tuple[str, ...]:
    """Return the names of the values that creating a task sets."""
    if "recurrence" not in step.values:
        return WRITTEN
    return RECURRING if step.following is None else (*RECURRING, "next_task_id")
