"""What a device keeps on its disk: a copy of the tasks, the edits that wait to be sent, and what became of them."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.support.client import Json
from tests.support.sync.edits import Edit, show
from tests.support.sync.replica import Replica

# The most operations that a batch may have.
BATCH = 100


class Push(NamedTuple):
    """Edits to send in one request. It is kept, and repeated unchanged with its key, until it is answered."""

    key: str
    edits: list[Edit]


class Accepted(NamedTuple):
    """An edit that the server has carried out. The feed will report its task with at least this revision."""

    edit: Edit
    revision: int


class Conflict(NamedTuple):
    """An edit that the server has rejected, and the problem that says why, for the user to decide."""

    edit: Edit
    problem: Json


class Answer(NamedTuple):
    """What became of a push: the user's revision after it, its key if it was a batch, and what became of each edit."""

    revision: int
    key: str | None
    accepted: list[Accepted]
    conflicts: list[Conflict]


@dataclass
class Store:
    """A device's store. The user sees `view()`: the copy, with the edits that the feed has not reported yet."""

    copy: Replica = field(default_factory=Replica)
    outbox: list[Edit] = field(default_factory=list)
    pushed: Push | None = None
    accepted: list[Accepted] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def view(self) -> dict[str, Json]:
        """Return the tasks that the user sees, by id."""
        return show(self.copy.tasks, [one.edit for one in self.accepted] + self.outbox)

    def next_push(self, key: str) -> Push | None:
        """Return the push that has not been answered yet, or make one with this key, or None if there is no edit.

        A batch takes one edit for each task. The next edit of the task follows when this one is answered.
        """
        if self.pushed is None and self.outbox:
            first = {edit.task_id: edit for edit in reversed(self.outbox)}
            self.pushed = Push(key, [edit for edit in self.outbox if first[edit.task_id] is edit][:BATCH])
        return self.pushed

    def note(self, answer: Answer) -> None:
        """Note the answer to the push: its edits leave the outbox, whether they were accepted or not."""
        assert self.pushed is not None
        self.outbox = [edit for edit in self.outbox if edit not in self.pushed.edits]
        self.pushed = None
        self.accepted += answer.accepted
        self.answers.append(answer)

    def receive(self, page: Json) -> None:
        """Apply a page of changes, and stop showing the accepted edits that it contains.

        They are recognised by their revision. After the last page there are no others: a deletion may also be older
        than the first download, or purged.
        """
        self.copy.apply(page)
        reported = {one["id"]: one["revision"] for one in page["tasks"] + page["deleted"]}
        self.accepted = [one for one in self.accepted if reported.get(one.edit.task_id, 0) < one.revision]
        if not page["has_more"]:
            self.accepted = []

    def start_over(self) -> None:
        """Forget the copy, after 410. The edits in the outbox stay, and are applied to the next copy."""
        self.copy = Replica()

    @property
    def conflicts(self) -> list[Conflict]:
        """The edits that were reported to the user because the server rejected them."""
        return [conflict for answer in self.answers for conflict in answer.conflicts]
