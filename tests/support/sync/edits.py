"""What a user does on a device: edits, as the device queues, shows and sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.support.client import Json
from tests.support.model import DEFAULTS

Op = Literal["create", "update", "delete", "restore"]
NO_SERIES: dict[str, Json] = dict.fromkeys(("recurrence", "series_id", "occurrence_date", "next_task_id"))
"""The members of a task that does not recur."""
BLANK: dict[str, Json] = {**DEFAULTS, "list_id": None, "parent_id": None, **NO_SERIES}
"""The members of a new task of which nothing but the title is given."""


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of one task. `base` has the values that the user saw when changing `members`.

    With `keep_next`, a task that is reopened leaves its series if there is a next occurrence.
    """

    op: Op
    task_id: str
    members: Mapping[str, Json] = field(default_factory=dict)
    base: Mapping[str, Json] = field(default_factory=dict)
    keep_next: bool = False

    def operation(self) -> Json:
        """Return the edit as an operation of a batch."""
        values: dict[str, Json] = {
            "create": {"task": self.members},
            "update": {"changes": self.members, "base": self.base, "keep_next": self.keep_next},
        }
        return {"op": self.op, "id": self.task_id, **values.get(self.op, {})}


def show(tasks: Mapping[str, Json], edits: list[Edit]) -> dict[str, Json]:
    """Return the tasks as they look with these edits, by id.

    A restored task is seen at once only if its deletion is among the edits; else the server has to return it first.
    """
    shown, removed = dict(tasks), {}
    for edit in edits:
        match edit.op:
            case "create" if edit.task_id not in shown:
                shown[edit.task_id] = {**BLANK, **edit.members}
            case "update" if edit.task_id in shown:
                shown[edit.task_id] = {**shown[edit.task_id], **edit.members}
            case "delete" if edit.task_id in shown:
                removed[edit.task_id] = shown.pop(edit.task_id)
            case "restore" if edit.task_id in removed:
                shown[edit.task_id] = removed.pop(edit.task_id)
    return shown
