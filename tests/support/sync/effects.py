"""What an edit does to a task and its relatives, by the rules of the contract: what the proof expects of a request."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from storage import positions
from tests.support.client import Json
from tests.support.sync.edits import BLANK, NO_SERIES, Edit
from tests.support.sync.journal import State
from tests.support.sync.ledger import Ledger, Row

EFFECTS = (
    "next occurrences",
    "copied subtasks",
    "removed occurrences",
    "occurrences that left their series",
    "deleted subtasks",
    "restored subtasks",
    "moved subtasks",
    "tasks deleted with their list",
    "tasks restored with their list",
)
"""What the writes that follow from an edit of another task, or from a write of a list, are counted as."""
MOST_LEVELS = 3


class Request:
    """A request, which changes a ledger edit by edit. Raises AssertionError if it must not have been accepted.

    `noted` are the tasks as it left them, by the journal, and `revisions` those that it took. Of these the ledger takes
    only what the service chooses: ids, and positions of new and restored tasks. `purged` are tasks that are gone by
    now. `restored` are those that its edits restore. `written` has the id of each write.
    """

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        noted: Mapping[str, State],
        revisions: Sequence[int],
        purged: Collection[str],
        restored: Collection[str],
    ) -> None:
        self.written: list[str] = []
        self.counts: Counter[str] = Counter()
        self._name = name
        self._ledger = ledger
        self._noted = noted
        self._revisions = revisions
        self._purged = purged
        self._restored = restored

    def perform(self, edit: Edit) -> None:
        """Carry out an edit that was accepted. It writes nothing if everything is as the edit wants it."""
        match edit.op:
            case "create":
                self._create(edit)
            case "update":
                self._update(edit)
            case "delete":
                self._delete(edit)
            case "restore":
                self._restore(edit)

    def change_list(self, list_id: str, *, is_live: bool) -> None:
        """Write a list. If it is deleted, its tasks go with it, and they come back with it."""
        deleted = self._ledger.lists.get(list_id)
        if not is_live:
            self._remove(self._ledger.in_list(list_id), "tasks deleted with their list")
        self._ledger.lists[list_id] = None if is_live else self._name
        if deleted is not None and is_live:
            self._bring_back(self._ledger.gone_with(deleted), "tasks restored with their list")
        self.written.append(list_id)

    def _create(self, edit: Edit) -> None:
        assert edit.task_id not in self._ledger.rows, f"{edit} was accepted twice"
        left = self._left(edit.task_id)
        members = {**BLANK, "position": left["position"], **edit.members}
        if members["recurrence"] is not None:
            assert left["series_id"] is not None
            members |= {"series_id": left["series_id"], "occurrence_date": members["due_date"]}
        if members["parent_id"] is not None:
            members["list_id"] = self._live(members["parent_id"]).members["list_id"]
        self._write(edit.task_id, members)

    def _update(self, edit: Edit) -> None:
        before = self._live(edit.task_id).members
        for name, new in edit.members.items():
            assert before[name] in (edit.base[name], new), f"{edit} has overwritten {before[name]}"
        after = {**before, **edit.members}
        if after == before:
            return
        after |= self._follow_series(edit, before, after) | self._follow_parent(edit.task_id, before, after)
        self._write(edit.task_id, after)
        if after["list_id"] != before["list_id"]:
            self._move_subtasks(edit.task_id, after)

    def _follow_series(self, edit: Edit, before: State, after: State) -> dict[str, Json]:
        """Return what else changes in a task that recurs, or that did so before."""
        if after["due_date"] is None or after["recurrence"] is None:
            return NO_SERIES
        assert after["parent_id"] is None, f"{edit} makes a subtask recur"
        if after["completed"] == before["completed"]:
            return self._reschedule(edit.task_id, before, after)
        if after["completed"]:
            return self._complete(edit.task_id, after)
        return self._reopen(edit.task_id, after, keep_next=edit.keep_next)

    def _reschedule(self, task_id: str, before: State, after: State) -> dict[str, Json]:
        """Begin a new series if the rule has other days."""
        if _days_of(after["recurrence"]) == _days_of(before["recurrence"]):
            return {}
        series_id = self._left(task_id)["series_id"]
        assert series_id not in (None, before["series_id"])
        return {"series_id": series_id, "occurrence_date": after["due_date"]}

    def _follow_parent(self, task_id: str, before: State, after: State) -> dict[str, Json]:
        """Return the list of a task that gets another parent."""
        if after["parent_id"] in (None, before["parent_id"]):
            return {}
        assert after["parent_id"] not in self._ledger.family(task_id), f"{task_id} is below itself"
        return {"list_id": self._live(after["parent_id"]).members["list_id"]}

    def _move_subtasks(self, task_id: str, task: State) -> None:
        parent = self._ledger.live(task["parent_id"])
        assert parent is None or parent.members["list_id"] == task["list_id"], (
            f"{task} is not in the list of its parent"
        )
        assert self._ledger.lists.get(task["list_id"]) is None, f"{task} is in a list that is deleted"
        for one in self._ledger.family(task_id)[1:]:
            self._write(one, {**self._ledger.rows[one].members, "list_id": task["list_id"]})
            self.counts["moved subtasks"] += 1

    def _complete(self, task_id: str, task: State) -> dict[str, Json]:
        """Create the next occurrence, unless the series ends, and return what changes in the completed one."""
        if task["recurrence"].get("count") == 1:
            return {}
        next_id = self._left(task_id)["next_task_id"]
        assert next_id is not None, f"{task} has no next occurrence"
        assert next_id not in self._ledger.rows
        self._copy_subtasks(task_id, next_id, timedelta(days=task["recurrence"]["interval"]))
        self._write(next_id, _next(task))
        self.counts["next occurrences"] += 1
        return {"next_task_id": next_id, "position": positions.behind(task["position"], UUID(next_id))}

    def _copy_subtasks(self, task_id: str, new_id: str, step: timedelta) -> None:
        for child in list(self._ledger.children(task_id)):
            members = self._ledger.rows[child].members
            copy = {**members, "parent_id": new_id, **_begun_anew(members, step)}
            fresh = (one for one, task in self._noted.items() if task == copy and one not in self._ledger.rows)
            copy_id = next(fresh, None)
            assert copy_id is not None, f"the next occurrence has no copy of {members}"
            self._write(copy_id, copy)
            self.counts["copied subtasks"] += 1
            self._copy_subtasks(child, copy_id, step)

    def _reopen(self, task_id: str, task: State, *, keep_next: bool) -> dict[str, Json]:
        """Remove the next occurrence, if there is one, and return what changes in the reopened one."""
        next_id = task["next_task_id"]
        if next_id is None:
            return {}
        if keep_next:
            self.counts["occurrences that left their series"] += 1
            return NO_SERIES
        changed = {"next_task_id": None, "position": positions.in_front(task["position"], UUID(next_id))}
        row = self._live(next_id)
        if row.written != row.created:
            assert row.members == _next({**task, **changed}), f"{row} was changed, and is removed"
            self.counts["removed occurrences that had been written"] += 1
        copies = self._lines(task_id, row.members, _days_between(task, row.members))
        there = {next_id: [], **self._lines(next_id)}
        for one, line in there.items():
            below = self._ledger.rows[one]
            is_untouched = below.written == below.created == row.created
            assert one == next_id or is_untouched or line in copies.values(), f"{below} was changed, and is removed"
            erased = {**below.members, "title": "", "description": None, "tags": []}
            self._write(one, erased, deleted=self._name, is_erased=True)
        self.counts["removed occurrences"] += 1
        return changed

    def _lines(
        self, task_id: str, next_task: State | None = None, later: timedelta = timedelta()
    ) -> dict[str, list[State]]:
        """Return what each subtask of a task and those above it are, or their copies for the next occurrence."""
        lines: dict[str, list[State]] = {task_id: []}
        for one in self._ledger.family(task_id)[1:]:
            members = self._ledger.rows[one].members
            anew = {} if next_task is None else {**_begun_anew(members, later), "list_id": next_task["list_id"]}
            lines[one] = [{**members, **anew, "parent_id": None}, *lines[members["parent_id"]]]
        return {one: line for one, line in lines.items() if one != task_id}

    def _delete(self, edit: Edit) -> None:
        # An earlier edit may have deleted its parent.
        if self._ledger.rows[edit.task_id].deleted != self._name:
            self._live(edit.task_id)
            self._remove(self._ledger.family(edit.task_id), "deleted subtasks")
            self.counts["deleted subtasks"] -= 1

    def _restore(self, edit: Edit) -> None:
        row = self._ledger.rows[edit.task_id]
        assert not row.is_erased, f"{row} was removed, and is restored"
        if row.deleted is not None:
            in_trash_from = self._ledger.in_trash_from
            *_, top = (one for one in in_trash_from(edit.task_id) if one in self._restored)
            wanted = [one for one in self._restored if top in in_trash_from(one)]
            families = {one for task_id in wanted for one in self._gone_with(task_id)}
            self._bring_back(sorted(families, key=self._ledger.level), "restored subtasks")
            self.counts["restored subtasks"] -= 1

    def _remove(self, ids: Iterable[str], effect: str) -> None:
        for one in ids:
            self._write(one, self._ledger.rows[one].members, deleted=self._name)
            self.counts[effect] += 1

    def _bring_back(self, ids: Iterable[str], effect: str) -> None:
        coming = [*filter(self._comes_back, ids)]
        for one in coming:
            self._write(one, {**self._ledger.rows[one].members, **self._place(one, coming)})
            self.counts[effect] += 1

    def _place(self, task_id: str, coming: Collection[str]) -> dict[str, Json]:
        """Return where a restored task comes: first in the inbox, if its parent or list is gone, or has no room."""
        task = self._ledger.rows[task_id].members
        parent = self._ledger.live(task["parent_id"])
        if (
            parent is not None
            and self._ledger.level(task_id) + self._ledger.levels_below(task_id, coming) <= MOST_LEVELS
        ):
            return {"list_id": parent.members["list_id"]}
        if task["parent_id"] is None and self._ledger.lists.get(task["list_id"]) is None:
            return {}
        position = self._left(task_id)["position"]
        assert position in map(positions.first, self._revisions)
        return {"list_id": None, "parent_id": None, "position": position}

    def _gone_with(self, task_id: str) -> list[str]:
        """Return a deleted task and those that come back with it."""
        coming = filter(self._comes_back, self._ledger.children(task_id))
        return [task_id, *(one for child in coming for one in self._gone_with(child))]

    def _comes_back(self, task_id: str) -> bool:
        """Return whether a deleted task is there to be restored: what was purged at some time can be absent."""
        return task_id in self._noted or task_id not in self._purged

    def _left(self, task_id: str) -> State:
        """Return a task as the request left it."""
        assert task_id in self._noted, f"{task_id} was not written"
        return self._noted[task_id]

    def _live(self, task_id: str) -> Row:
        row = self._ledger.live(task_id)
        assert row is not None, f"{task_id} is not there"
        return row

    def _write(self, task_id: str, members: State, *, deleted: str | None = None, is_erased: bool = False) -> None:
        old = self._ledger.rows.get(task_id)
        created = old.created if old else self._name
        self._ledger.write(task_id, Row(members, created, self._name, deleted, is_erased))
        self.written.append(task_id)


def _next(task: State) -> State:
    """Return the occurrence after a task, as completing the task creates it."""
    rule = task["recurrence"]
    day = _later(task["occurrence_date"], timedelta(days=rule["interval"]))
    left = rule | ({"count": rule["count"] - 1} if "count" in rule else {})
    return {**task, "completed": False, "due_date": day, "occurrence_date": day, "recurrence": left}


def _days_between(task: State, later: State) -> timedelta:
    return date.fromisoformat(later["occurrence_date"]) - date.fromisoformat(task["occurrence_date"])


def _begun_anew(subtask: State, step: timedelta) -> dict[str, Json]:
    """Return what differs in the copy of a subtask."""
    return {"completed": False, "due_date": subtask["due_date"] and _later(subtask["due_date"], step)}


def _days_of(rule: Json) -> Json:
    """Return a rule without the members whose change keeps the series."""
    return {name: value for name, value in rule.items() if name not in ("until", "count", "missed")}


def _later(day: str, step: timedelta) -> str:
    return str(date.fromisoformat(day) + step)
