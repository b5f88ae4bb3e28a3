"""The proof: the results of edits that devices received, compared with the writes that the database has noted."""

from collections.abc import Iterable

from tests.support.model import DEFAULTS
from tests.support.sync.edits import Edit
from tests.support.sync.journal import Journal, Write
from tests.support.sync.store import Answer


def explain(journal: Journal, answers: Iterable[Answer]) -> None:
    """Check that each write is one accepted edit, and each accepted edit a write, or that it had nothing to change.

    So no edit is lost, none takes effect twice, and none has overwritten a value that its device had not seen.
    """
    explained: set[int] = set()
    for answer in sorted(answers, key=lambda one: one.revision):
        explained |= _writes_of(journal, answer)
    missing = journal.writes.keys() - explained
    assert not missing, (
        f"no device received the result of these writes: {[(one, journal.writes[one]) for one in sorted(missing)]}"
    )


def _writes_of(journal: Journal, answer: Answer) -> set[int]:
    """Return the revisions that a push took. They end with that of the answer, in the order of the edits."""
    edits = [one.edit for one in answer.accepted]
    if [edit.op for edit in edits] == ["create"]:
        # Its revision is not always known: the answer that named it may have been lost.
        assert is_effect(edits[0], journal.writes[journal.creation(edits[0].task_id)]), edits[0]
        return {journal.creation(edits[0].task_id)}
    revision = answer.revision
    for edit in reversed(edits):
        if revision in journal.writes and is_effect(edit, journal.writes[revision]):
            revision -= 1
        else:
            state = journal.state(edit.task_id, revision)
            assert state is not None, f"{edit} was accepted at revision {revision}, and did not take effect"
            assert edit.op != "delete", f"{edit} was accepted at revision {revision}, but the task is there"
            assert {**state, **edit.members} == state, f"{edit} was accepted at revision {revision}, but is not there"
    return set(range(revision + 1, answer.revision + 1))


def is_effect(edit: Edit, write: Write) -> bool:
    """Return whether a write is exactly what an edit asks for, and started from the values that its user had seen."""
    if write.task_id != edit.task_id:
        return False
    match edit.op:
        case "create":
            # The service chooses the position of a task that is created without one.
            chosen = {"position": write.after["position"]}
            return write.before is None and write.after == {**DEFAULTS, **chosen, **edit.members}
        case "delete":
            return write.was_live and not write.is_live
        case "restore":
            return write.is_live and not write.was_live and write.after == write.before
        case "update":
            return write.was_live and write.is_live and _is_update(edit, write)


def _is_update(edit: Edit, write: Write) -> bool:
    before = write.before or {}
    seen = all(before[name] in (edit.base[name], new) for name, new in edit.members.items())
    return seen and write.after == {**before, **edit.members}
