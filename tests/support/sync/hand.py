"""The user of a device, who edits whatever the device shows."""

from collections.abc import Iterable, Mapping
from random import Random

from tests.support.client import Json
from tests.support.sync.device import Device
from tests.support.sync.edits import Edit, Op

HABITS: dict[str, int] = {
    "create": 10,
    "repeat": 6,
    "nest": 8,
    "update": 25,
    "complete": 20,
    "reschedule": 6,
    "adopt": 6,
    "tag": 15,
    "move": 8,
    "file": 15,
    "delete": 12,
    "restore": 8,
}
"""What the user does, and how often."""
_OF_SERIES = ("complete", "nest", "reschedule")
DAYS = ("2026-11-24", "2026-12-24")
# How many tasks the user turns to most of the time, so that devices often meet on one.
FAVOURITES = 6


class Hand:
    """A user who makes random edits on a device. Every text names the edit that it comes from."""

    def __init__(self, name: str, device: Device, dice: Random) -> None:
        self.edits: list[Edit] = []
        self._name = name
        self._device = device
        self._dice = dice

    def work(self, edits: int) -> None:
        """Make some edits, whether the device is online or not."""
        for _ in range(edits):
            edit = self._next_edit()
            self.edits.append(edit)
            self._device.store.outbox.append(edit)

    def _next_edit(self) -> Edit:
        view = self._device.store.view()
        habit = self._dice.choices(list(HABITS), list(HABITS.values()))[0]
        if habit == "restore" and (deleted := self._deleted() - view.keys()):
            return Edit("restore", self._choose(deleted))
        if habit in ("create", "repeat", "restore") or not view:
            return self._creation(self._rhythm() if habit == "repeat" else {})
        task_id = self._choose(self._interesting(view) if habit in _OF_SERIES else view)
        if habit == "nest":
            return self._creation({"parent_id": task_id})
        if habit == "delete":
            return Edit("delete", task_id)
        members = self._members(habit, view[task_id])
        base = {name: view[task_id][name] for name in members}
        keeps_next = members.get("completed") is False and self._dice.random() < 0.3
        return Edit("update", task_id, members, base, keep_next=keeps_next)

    def _interesting(self, view: Mapping[str, Json]) -> Iterable[str]:
        """Return the tasks that recur, half of the times that there are any, else all."""
        recurring = [task_id for task_id, task in view.items() if task["recurrence"]]
        return recurring if recurring and self._dice.random() < 0.5 else view

    def _creation(self, members: dict[str, Json]) -> Edit:
        return Edit("create", self._device.new_id(), {"title": self._text(), **self._values(), **members})

    def _rhythm(self) -> dict[str, Json]:
        """Return what makes a new task recur."""
        return {"due_date": self._dice.choice(DAYS), "recurrence": self._rule()}

    def _rule(self) -> Json:
        """Return a rule that names everything, as the service does."""
        rule = {"frequency": "daily", "interval": self._dice.randint(1, 3), "from": "due", "missed": "keep"}
        ends = {"count": self._dice.randint(1, 4)} if self._dice.random() < 0.3 else {}
        return {**rule, **ends}

    def _members(self, habit: str, task: Json) -> dict[str, Json]:
        """Return what an update of a task changes."""
        if habit == "complete":
            return {"completed": not task["completed"]}
        if habit == "tag":
            tag = self._dice.choice("abcdef")
            kept = [one for one in task["tags"] if one != tag]
            return {"tags": kept if tag in task["tags"] else [*kept, tag]}
        if habit == "move" and "position" in task:
            return {"position": self._position()}
        if habit == "reschedule" and task["recurrence"]:
            return {"recurrence": self._dice.choice([None, self._rule(), self._rule()])}
        if habit == "adopt":
            # The favourites get into each other's families, so that some edits would make a circle.
            return {"parent_id": self._choose(self._device.store.view()) if self._dice.random() < 0.8 else None}
        if habit == "file":
            return {"list_id": self._dice.choice([None, *sorted(self._device.store.copy.lists)])}
        return self._values() or {"title": self._text()}

    def _position(self) -> str:
        """Return a position after that of some task, perhaps the same as another device chooses."""
        shown = sorted(task["position"] for task in self._device.store.view().values() if "position" in task)
        return f"{self._dice.choice(shown)[:100]}V"

    def _values(self) -> dict[str, Json]:
        """Return new values for some members, or for none."""
        values = {
            "description": self._dice.choice([None, self._text()]),
            "priority": self._dice.choice(["High", "Medium", "Low"]),
            "due_date": self._dice.choice([None, *DAYS]),
        }
        return {name: value for name, value in values.items() if self._dice.random() < 0.3}

    def _text(self) -> str:
        return f"{self._name} {len(self.edits)}"

    def _deleted(self) -> set[str]:
        """Return the tasks that the feed has reported as deleted, and those that this device will delete."""
        mine: dict[str, Op] = {edit.task_id: edit.op for edit in self._device.store.outbox}
        return self._device.store.copy.deleted | {task_id for task_id, op in mine.items() if op == "delete"}

    def _choose(self, ids: Iterable[str]) -> str:
        # At one end are the tasks whose ids the service has chosen: the later occurrences.
        among = sorted(ids, reverse=self._dice.random() < 0.5)
        return among[min(int(self._dice.expovariate(1 / FAVOURITES)), len(among) - 1)]
