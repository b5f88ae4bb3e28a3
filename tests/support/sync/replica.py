"""A copy of a user's tasks and lists, kept in step by the pages of `list_changes`."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.support.client import Json


class Moment(NamedTuple):
    """The revision that a copy has come to, and the revisions of its tasks and lists, by their ids."""

    revision: int
    rows: dict[str, int]


def moment_at(revision: int, tasks: Mapping[str, Json], lists: Mapping[str, Json]) -> Moment:
    """Return what tasks and lists, by their ids, are at a revision."""
    return Moment(revision, {row_id: row["revision"] for row_id, row in [*tasks.items(), *lists.items()]})


class Replica:
    """The tasks and lists of a user as far as the feed has reported them, and the token to continue from.

    Only the feed changes it. The answer to a write never does: it may arrive after the feed has reported a later write
    of another device, which it must not undo.
    """

    def __init__(self) -> None:
        self.tasks: dict[str, Json] = {}
        self.lists: dict[str, Json] = {}
        self.deleted: set[str] = set()
        self.token: str | None = None

    def apply(self, page: Json) -> None:
        """Apply a page. It may report the deletion of a task or list that this copy has never had."""
        for task in page["tasks"]:
            self.tasks[task["id"]] = task
            self.deleted.discard(task["id"])
        for gone in page["deleted"]:
            self.tasks.pop(gone["id"], None)
            self.deleted.add(gone["id"])
        self.lists |= {one["id"]: one for one in page["lists"]}
        for gone in page["deleted_lists"]:
            self.lists.pop(gone["id"], None)
        self.token = page["sync_token"]

    def moment(self) -> Moment:
        """Return what this copy has. Only the proof looks into a token; to a client it is opaque."""
        revision = int(self.token.split(".")[1]) if self.token else 0
        return moment_at(revision, self.tasks, self.lists)
