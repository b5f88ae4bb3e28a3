"""Tasks and lists in one order: rows that are either, for the feed of changes and for the trash."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, cast, false, null, select, true

from storage.driver.query import Row
from storage.list_rows import TodoList
from storage.schema import lists, position, tasks
from storage.tasks import Task

NAMES = (*Task._fields, *(name for name in TodoList._fields if name not in Task._fields), "is_list")
"""The columns of a row. Those that its table does not have are NULL."""
_SIZE = len(Task._fields)
_LIST_PLACES = [NAMES.index(name) for name in TodoList._fields]
IS_LIST = NAMES.index("is_list")
"""The place in a row that says whether it is a list."""


def rows_of(table: Table, **others: ColumnElement[Any]) -> Select[Any]:
    """Return the selection of NAMES and `others` from a table; what `others` has under one of NAMES replaces it."""
    is_list = true() if table is lists else false()
    shown = {name: _value(table, name) for name in NAMES[:IS_LIST]} | {"is_list": is_list} | others
    return select(*(value.label(name) for name, value in shown.items()))


def _value(table: Table, name: str) -> ColumnElement[Any]:
    if name == "position" and table is tasks:
        return position.element
    if name in table.c:
        return table.c[name]
    other = tasks if table is lists else lists
    return cast(null(), other.c[name].type)


def task_in_row(row: Row) -> Task:
    """Return the task that a row begins with."""
    return Task._make(row[:_SIZE])


def list_in_row(row: Row) -> TodoList:
    """Return the list that a row begins with."""
    return TodoList._make(row[place] for place in _LIST_PLACES)
