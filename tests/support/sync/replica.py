"""A copy of a user's tasks, kept in step by the pages of `list_changes`."""

from typing import NamedTuple

from tests.support.client import Json


class Moment(NamedTuple):
    """The revision that a copy has come to, and the revisions of its tasks."""

    revision: int
    tasks: dict[str, int]


class Replica:
    """The tasks of a user as far as the feed has reported them, and the token to continue from.

    Only the feed changes it. The answer to a write never does: it may arrive after the feed has reported a later write
    of another device, which it must not undo.
    """

    def __init__(self) -> None:
        self.tasks: dict[str, Json] = {}
        self.deleted: set[str] = set()
        self.token: str | None = None

    def apply(self, page: Json) -> None:
        """Apply a page. It may report the deletion of a task that this copy has never had."""
        for task in page["tasks"]:
            self.tasks[task["id"]] = task
            self.deleted.discard(task["id"])
        for gone in page["deleted"]:
            self.tasks.pop(gone["id"], None)
            self.deleted.add(gone["id"])
        self.token = page["sync_token"]

    def moment(self) -> Moment:
        """Return what this copy has. Only the proof looks into a token; to a client it is opaque."""
        revision = int(self.token.split(".")[1]) if self.token else 0
        return Moment(revision, {task_id: task["revision"] for task_id, task in self.tasks.items()})
