"""A user's tasks and lists at a moment of the history that the proof follows."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from tests.support.sync.journal import State


@dataclass(frozen=True)
class Row:
    """A task, and the requests that created it, wrote it last, and deleted it. An erased one cannot be restored."""

    members: State
    created: str
    written: str
    deleted: str | None = None
    is_erased: bool = False


@dataclass
class Ledger:
    """The rows of tasks by their ids. `lists` has the request that deleted a list, and None for one that is there."""

    rows: dict[str, Row] = field(default_factory=dict)
    lists: dict[str, str | None] = field(default_factory=dict)
    _below: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def write(self, task_id: str, row: Row) -> None:
        """Put a row in the place of an earlier one, or add it."""
        parent_id = row.members["parent_id"]
        if parent_id is not None and task_id not in self._below[parent_id]:
            self._below[parent_id].append(task_id)
        self.rows[task_id] = row

    def live(self, task_id: str | None) -> Row | None:
        """Return a task, None if it is deleted or unknown."""
        row = self.rows.get(task_id) if task_id else None
        return row if row and row.deleted is None else None

    def children(self, task_id: str) -> Iterator[str]:
        """Yield the subtasks of a task, without theirs: the live ones of a live task, else those deleted with it."""
        for one in self._below[task_id]:
            row = self.rows[one]
            if row.members["parent_id"] == task_id and row.deleted == self.rows[task_id].deleted and not row.is_erased:
                yield one

    def family(self, task_id: str) -> list[str]:
        """Return a task and all that is below it, parents first."""
        return [task_id, *(one for child in self.children(task_id) for one in self.family(child))]

    def in_trash_from(self, task_id: str) -> Iterator[str]:
        """Yield a task and its ancestors, up to the first that is not in the trash."""
        row = self.rows.get(task_id)
        if row is not None and row.deleted is not None and not row.is_erased:
            yield task_id
            yield from self.in_trash_from(row.members["parent_id"])

    def levels_below(self, task_id: str, among: Collection[str]) -> int:
        """Return how many levels of subtasks a task has among some tasks."""
        below = [one for one in self._below[task_id] if one in among and self.rows[one].members["parent_id"] == task_id]
        return max((1 + self.levels_below(one, among) for one in below), default=0)

    def in_list(self, list_id: str) -> list[str]:
        """Return the live tasks of a list."""
        return [one for one, row in self.rows.items() if row.deleted is None and row.members["list_id"] == list_id]

    def gone_with(self, request: str) -> list[str]:
        """Return what a request deleted and can be restored, parents first."""
        gone = [one for one, row in self.rows.items() if row.deleted == request and not row.is_erased]
        return sorted(gone, key=self.level)

    def level(self, task_id: str) -> int:
        """Return 1 for a task at the top, and 2 for its subtasks."""
        parent_id = self.rows[task_id].members["parent_id"]
        return 1 + self.level(parent_id) if parent_id in self.rows else 1
