"""A copy of a user's tasks, kept in step by the pages of `list_changes`."""

from tests.support.client import Json


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

    def revisions(self) -> dict[str, int]:
        """Return the revision of each task."""
        return {task_id: task["revision"] for task_id, task in self.tasks.items()}
