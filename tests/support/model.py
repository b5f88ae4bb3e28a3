"""A user's tasks as the contract describes them, in memory: what each write does, and what it returns."""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

Json = Any
DEFAULTS: dict[str, Json] = {
    "description": None,
    "completed": False,
    "priority": "Medium",
    "due_date": None,
    "tags": [],
}
MEMBERS = ("title", *DEFAULTS, "position")


@dataclass(frozen=True)
class Task:
    """A task. `created` and `deleted` number the requests that did so, which stands for their time."""

    id: str
    members: Mapping[str, Json]
    revision: int
    created: int
    deleted: int | None = None

    @property
    def shown(self) -> dict[str, Json]:
        """The members that a response has, but for times and the user's id."""
        return {"id": self.id, **self.members, "revision": self.revision}


class Result(NamedTuple):
    """What a write of one task returns. `task` is its state afterwards, or that which stood in the way."""

    status: int
    task: Task | None = None
    members: tuple[str, ...] = ()


class Counts(NamedTuple):
    """What a write of many tasks returns."""

    matched: int
    changed: int


class Account:
    """What a user has: tasks, deleted tasks in the trash, erased ones, and the revision of the latest write."""

    def __init__(self) -> None:
        self.revision = 0
        self.tasks: dict[str, Task] = {}
        self.trash: dict[str, Task] = {}
        self.erased: set[str] = set()
        self._requests = 0

    def begin(self) -> None:
        """Note that another request has its turn."""
        self._requests += 1

    def perform(self, operation: Mapping[str, Json]) -> Result:
        """Run one operation, as a batch names it."""
        run: Callable[..., Result] = getattr(self, f"_{operation['op']}")
        return run(**{name: value for name, value in operation.items() if name != "op"})

    def batch(self, operations: Iterable[Mapping[str, Json]], *, is_atomic: bool) -> list[Result]:
        """Run operations in their order. If one of an atomic batch fails, nothing changes and the others get 424."""
        before = deepcopy(self.__dict__)
        results = [self.perform(operation) for operation in operations]
        if is_atomic and any(one.status >= 400 for one in results):
            self.__dict__ |= before
            results = [one if one.status >= 400 else Result(424) for one in results]
        return results

    def update_many(self, matches: Callable[[Task], bool], change: Callable[[Mapping[str, Json]], Json]) -> Counts:
        """Change the members of all tasks that match."""
        matching = self._in_order(filter(matches, self.tasks.values()))
        changed = [task for task in matching if change(task.members) != task.members]
        for task in changed:
            self._store(replace(task, members=change(task.members)))
        return Counts(len(matching), len(changed))

    def delete_many(self, matches: Callable[[Task], bool]) -> Counts:
        """Delete all tasks that match."""
        matching = self._in_order(filter(matches, self.tasks.values()))
        for task in matching:
            self._delete(task.id)
        return Counts(len(matching), len(matching))

    def restore_many(self, deletion: int) -> Counts:
        """Restore what a request deleted."""
        matching = self._in_order(task for task in self.trash.values() if task.deleted == deletion)
        for task in matching:
            self._restore(task.id)
        return Counts(len(matching), len(matching))

    def arranged(self) -> list[str]:
        """Return the ids of the tasks in the order in which the user has arranged them."""
        return sorted(self.tasks, key=lambda id: (self.tasks[id].members["position"], id))

    def learn_position(self, task_id: str, position: str) -> None:
        """Note a position that the server has chosen for a task, by a write of its own."""
        task = self.tasks[task_id]
        self._store(replace(task, members={**task.members, "position": position}))

    def erase(self, task_id: str) -> int:
        """Erase a task in the trash, and return the status."""
        if self.trash.pop(task_id, None) is None:
            return 404
        self.erased.add(task_id)
        return 204

    def empty_trash(self) -> None:
        """Erase all tasks in the trash."""
        self.erased |= self.trash.keys()
        self.trash = {}

    def _create(self, id: str, task: Mapping[str, Json]) -> Result:
        if id in self.tasks:
            return Result(409, self.tasks[id])
        if id in self.trash or id in self.erased:
            return Result(409)
        last = {"position": f"m{self.revision + 1:012x}"}
        return Result(201, self._store(Task(id, {**DEFAULTS, **last, **task}, 0, self._requests)))

    def _replace(self, id: str, task: Mapping[str, Json], if_revision: int | None = None) -> Result:
        old = self.tasks.get(id)
        if if_revision is not None and (old is None or old.revision != if_revision):
            return Result(412, old)
        if old is None:
            return self._create(id, task)
        return self._change(old, {**DEFAULTS, "position": old.members["position"], **task})

    def _update(
        self,
        id: str,
        changes: Mapping[str, Json],
        if_revision: int | None = None,
        base: Mapping[str, Json] | None = None,
    ) -> Result:
        old = self.tasks.get(id)
        if old is None:
            return Result(404)
        if if_revision not in (None, old.revision):
            return Result(412, old)
        known = base or {}
        if conflicts := [name for name in known if old.members[name] not in (known[name], changes[name])]:
            return Result(409, old, tuple(conflicts))
        return self._change(old, {**old.members, **changes})

    def _delete(self, id: str, if_revision: int | None = None) -> Result:
        old = self.tasks.get(id)
        if old is None:
            return Result(404)
        if if_revision not in (None, old.revision):
            return Result(412, old)
        self.revision += 1
        self.trash[id] = replace(self.tasks.pop(id), revision=self.revision, deleted=self._requests)
        return Result(204)

    def _restore(self, id: str) -> Result:
        if id in self.trash:
            return Result(200, self._store(replace(self.trash.pop(id), deleted=None)))
        return Result(200, self.tasks[id]) if id in self.tasks else Result(404)

    def _change(self, old: Task, members: Mapping[str, Json]) -> Result:
        return Result(200, old if members == old.members else self._store(replace(old, members=members)))

    def _store(self, task: Task) -> Task:
        self.revision += 1
        self.tasks[task.id] = replace(task, revision=self.revision)
        return self.tasks[task.id]

    @staticmethod
    def _in_order(found: Iterable[Task]) -> list[Task]:
        return sorted(found, key=lambda task: (task.created, task.id))
