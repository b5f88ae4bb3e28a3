"""Places in an order: conversion of the contract's `TaskMove` and `TodoListMove` for storage."""

from collections.abc import Mapping
from typing import Any

from storage.siblings import Spot


def spot_of(body: Mapping[str, Any]) -> Spot:
    """Return the place that a `TaskMove` or a `TodoListMove` names, which is the last one if it names none."""
    is_in_list, list_id = "list_id" in body, body.get("list_id")
    for side in ("before", "after"):
        if side in body:
            return Spot(side, body[side], is_in_list, list_id)
    return Spot(body.get("at", "last"), None, is_in_list, list_id)
