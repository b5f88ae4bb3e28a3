"""Statements that pick the tasks of a set, and change them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    Uuid,
    bindparam,
    column,
    false,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from storage import accounts, list_of_task
from storage.driver.query import Query
from storage.schema import is_live, tasks
from storage.tasks import changed, deleted_values, not_before_last_update


class Statements(NamedTuple):
    """The statements that count the tasks of a set, pick the first of them, and change the picked ones.

    `moves_instants` is whether they change what `due_at` follows from. `takes_subtasks` is whether the subtasks of the
    picked tasks are changed too, and `moves_lists` whether they follow into the list of the parameter `new_list_id`.
    """

    total: Query
    pick: Query
    write: Query
    moves_instants: bool = False
    takes_subtasks: bool = False
    moves_lists: bool = False


_MOST_TAGS = 20
_time = not_before_last_update(bindparam("at", type_=DateTime(timezone=True)))
REVISION: ColumnElement[int] = bindparam("revision", type_=BigInteger) + literal_column("picked.place", BigInteger)
"""The revision of a picked task, for new values that depend on it."""
DELETED: Mapping[str, ColumnElement[Any]] = deleted_values(_time)
"""The new values of a task that is moved to the trash."""


def statements(
    matching: Sequence[ColumnElement[bool]],
    new: Mapping[str, ColumnElement[Any]],
    changes: ColumnElement[bool],
    *,
    wanted_list: ColumnElement[Any] | None = None,
    takes_subtasks: bool = False,
    moves_series: ColumnElement[bool] | None = None,
    prepare: bool = True,
) -> Statements:
    """Return the statements for the tasks that match, and the new values of some columns.

    `changes` is whether a task that matches has other values now; if not, it keeps its revision. `wanted_list` is the
    list that a client wants, if it does. `moves_series` is whether a task then has one occurrence more or less, so that
    it is not for these statements to change it. With `takes_subtasks`, all subtasks count as changed too. With
    `prepare=False`, counting is planned for the values of each request.
    """
    number_of_tags = func.cardinality(new["tags"]) if "tags" in new else literal_column("0")
    shown = [tasks.c.id, tasks.c.created_at, changes.label("changes"), number_of_tags.label("number_of_tags")]
    shown += [(false() if moves_series is None else moves_series).label("moves_series"), tasks.c.is_parent]
    own = select(*shown).where(tasks.c.user_id == accounts.owner, *matching)
    has_list = true() if wanted_list is None else list_of_task.is_none_or_there(wanted_list)
    total = _total(own, has_list, takes_subtasks=takes_subtasks, prepare=prepare)
    return Statements(total, _pick(own, has_list), _write(new), takes_subtasks=takes_subtasks)


def _total(own: Select[Any], has_list: ColumnElement[bool], *, takes_subtasks: bool, prepare: bool) -> Query:
    matched = own.cte("matched")
    changed: ColumnElement[Any] = func.count().filter(matched.c.changes)
    if takes_subtasks:
        family = with_subtasks(select(matched.c.id))
        changed = select(func.count()).select_from(family).scalar_subquery()
    numbers = select(accounts.revision, func.count(), changed, _has_too_many(matched.c.number_of_tags), has_list)
    return Query(numbers.select_from(matched), prepare=prepare)


def _pick(own: Select[Any], has_list: ColumnElement[bool]) -> Query:
    first = own.order_by(tasks.c.created_at, tasks.c.id).limit(bindparam("limit", type_=BigInteger))
    matched = first.cte("matched")
    ids = func.array_agg(aggregate_order_by(matched.c.id, matched.c.created_at, matched.c.id))
    plain = ids.filter(matched.c.changes, ~matched.c.moves_series)
    others = ids.filter(matched.c.changes, matched.c.moves_series)
    has_parents = func.coalesce(func.bool_or(matched.c.is_parent), false())
    picked = select(func.count(), plain, _has_too_many(matched.c.number_of_tags), has_list, others, has_parents)
    return Query(picked.select_from(matched))


def with_subtasks(first: Select[Any]) -> CTE:
    """Return a CTE with the tasks whose `id` this selects, and the ids of all live tasks below them."""
    family = first.cte("family", recursive=True)
    below = select(tasks.c.id).join(family, tasks.c.parent_id == family.c.id)
    return family.union(below.where(tasks.c.user_id == accounts.owner, is_live))


def _has_too_many(number_of_tags: ColumnElement[int]) -> ColumnElement[bool]:
    return func.coalesce(func.bool_or(number_of_tags > literal_column(str(_MOST_TAGS))), false())


def _write(new: Mapping[str, ColumnElement[Any]]) -> Query:
    """Return the statement that changes `picked` tasks, which take the revisions that follow `revision`."""
    ids = func.unnest(bindparam("picked", type_=ARRAY(Uuid)))
    picked = ids.table_valued(column("id", Uuid), with_ordinality="place").render_derived("picked")
    values = changed(new, REVISION, _time)
    return Query(update(tasks).where(tasks.c.user_id == accounts.owner, tasks.c.id == picked.c.id).values(**values))
