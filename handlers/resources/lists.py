"""Lists: conversion of rows to the contract's `TodoList` and `TodoLists`."""

from collections.abc import Iterable
from typing import Any

from storage.list_rows import TodoList


def list_resource(row: TodoList) -> dict[str, Any]:
    """Return a row as the contract's `TodoList`."""
    return row._asdict()


def lists_resource(rows: Iterable[TodoList]) -> dict[str, Any]:
    """Return rows as the contract's `TodoLists`."""
    return {"lists": [list_resource(row) for row in rows]}


def whole_list(body: dict[str, Any]) -> dict[str, Any]:
    """Return a `TodoListReplace` as storage takes it, with the defaults that the contract cannot declare."""
    return {"color": None, **body}
