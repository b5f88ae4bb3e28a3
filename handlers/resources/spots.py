"""Places in an order: conversion of the contract's `TaskMove` and `TodoListMove` for storage."""

from collections.abc import Mapping
from typing import Any

from storage.siblings import Spot


def spot_of(body: Mapping[str, Any]) -> Spot:
    """Return the place that a `TaskMove` or a `TodoListMove` names, which is the last one if it names none."""
    in_list, under = ("list_id" in body, body.get("list_id")), ("parent_id" in body, body.get("parent_id"))
    spot = Spot(body.get("at", "last"), None, *in_list, *under)
    for side in ("before", "after"):
        if side in body:
            return spot._replace(side=side, anchor=body[side])
    return spot
