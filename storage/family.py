"""Subtasks: the rules for a task's parent, as pure functions of the tasks around it.

A family is the tasks that a write depends on: a task's descendants, and the ancestors of its parent.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from storage.errors import ListOfParent, NoSuchParent, ParentCycle, TooDeep
from storage.rows import Rows
from storage.tasks import Task

MOST_LEVELS = 3
"""A task, its subtasks, and theirs."""


class Place(NamedTuple):
    """Where a task is: under a parent or not, and in which list. `is_live` is whether it is not deleted."""

    id: UUID
    parent_id: UUID | None
    list_id: UUID | None
    is_live: bool


def descendants(family: Rows, task_id: UUID) -> Sequence[Task]:
    """Return the subtasks of a task, and then theirs."""
    return [one for level in _levels_below(family, task_id) for one in level]


def placed(family: Rows, task_id: UUID | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a task with its parent and, if it has one, that one's list. A new task may have no id yet.

    Raises NoSuchParent, ParentCycle, TooDeep, and ListOfParent if the values have another list.
    """
    current = family.live(task_id)
    parent_id = values.get("parent_id", current.parent_id if current else None)
    if current is None or parent_id != current.parent_id:
        _check_parent(family, task_id, parent_id)
    parent = family.live(parent_id)
    if parent is None:
        return {**values, "parent_id": parent_id}
    if values.get("list_id", parent.list_id) != parent.list_id:
        raise ListOfParent
    return {**values, "parent_id": parent_id, "list_id": parent.list_id}


def resettled(places: Mapping[UUID, Place], restored: Collection[UUID]) -> list[Place]:
    """Return the new places of restored tasks that cannot be where they were, or whose parent is in another list.

    `places` has those that have a parent, their ancestors, and the subtasks that come back with them now or later. One
    whose parent is deleted, or under which there is no room for it and its subtasks, comes back first in the inbox.
    """
    from_the_top = sorted(places.values(), key=lambda one: _level(places, one.id))
    heights = _heights(reversed(from_the_top))
    new = dict(places)
    for one in from_the_top:
        if one.id in restored and one.parent_id is not None:
            new[one.id] = _resettled(one, heights[one.id], new)
    return [place for place in new.values() if place != places[place.id]]


def _resettled(one: Place, height: int, places: Mapping[UUID, Place]) -> Place:
    parent = places.get(one.parent_id) if one.parent_id else None
    if parent is None or not parent.is_live or _level(places, parent.id) + height > MOST_LEVELS:
        return one._replace(parent_id=None, list_id=None)
    return one._replace(list_id=parent.list_id)


def _level(places: Mapping[UUID, Place], task_id: UUID) -> int:
    """Return 1 for a task at the top, and 2 for its subtasks."""
    level, one = 0, places.get(task_id)
    # A batch can delete a family of more levels than the live ones have, if it moves tasks meanwhile.
    while one is not None and level < len(places):
        level, one = level + 1, places.get(one.parent_id) if one.parent_id else None
    return level


def _heights(from_the_bottom: Iterable[Place]) -> dict[UUID, int]:
    """Return how many levels each task takes with its subtasks: 1 for a task without any."""
    heights = dict[UUID, int]()
    for one in from_the_bottom:
        height = heights.setdefault(one.id, 1)
        if one.parent_id is not None:
            heights[one.parent_id] = max(heights.get(one.parent_id, 1), height + 1)
    return heights


def _check_parent(family: Rows, task_id: UUID | None, parent_id: UUID | None) -> None:
    if parent_id is None:
        return
    below = list(_levels_below(family, task_id)) if task_id else []
    if parent_id == task_id or any(one.id == parent_id for level in below for one in level):
        raise ParentCycle
    if family.live(parent_id) is None:
        raise NoSuchParent
    if _levels_above(family, parent_id) + 1 + len(below) > MOST_LEVELS:
        raise TooDeep


def _levels_above(family: Rows, task_id: UUID) -> int:
    """Return how many levels there are from the top to a task."""
    level, one = 0, family.live(task_id)
    while one is not None and level <= MOST_LEVELS:
        level, one = level + 1, family.live(one.parent_id)
    return level


def _levels_below(family: Rows, task_id: UUID) -> Iterable[Sequence[Task]]:
    """Yield the subtasks of a task, then theirs, as long as there are any."""
    level = family.children(task_id)
    for _ in range(MOST_LEVELS):
        if not level:
            return
        yield level
        level = [child for one in level for child in family.children(one.id)]
