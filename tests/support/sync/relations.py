"""What holds between the tasks and lists of a user, whatever devices have done at once."""

from collections import Counter
from collections.abc import Mapping

from tests.support.client import Json

MOST_LEVELS = 3


def check_relations(tasks: Mapping[str, Json], lists: Mapping[str, Json]) -> None:
    """Check what holds for live tasks and lists, by their ids. Raises AssertionError.

    Each task is in a list that is there or in none, and under a task that is there and in the same list, or under none.
    A series has at most one open occurrence, and no two for one day.
    """
    for task in tasks.values():
        assert task["list_id"] is None or task["list_id"] in lists, task
        if task["parent_id"] is not None:
            assert task["parent_id"] in tasks, task
            assert tasks[task["parent_id"]]["list_id"] == task["list_id"], task
            assert task["recurrence"] is None, task
        assert _level(tasks, task) <= MOST_LEVELS, task
    recurring = [task for task in tasks.values() if task["series_id"] is not None]
    occurrences = Counter((task["series_id"], task["occurrence_date"]) for task in recurring)
    assert all(number == 1 for number in occurrences.values()), occurrences
    still_open = Counter(task["series_id"] for task in recurring if not task["completed"])
    assert all(number == 1 for number in still_open.values()), still_open


def _level(tasks: Mapping[str, Json], task: Json) -> int:
    return 1 if task["parent_id"] is None else 1 + _level(tasks, tasks[task["parent_id"]])
