"""A witness: the database itself notes every state that a task or list has had, whatever the service says about it."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

import psycopg

from handlers.resources.tasks import PRIORITIES
from storage.epochs import LEAST_STEP
from tests.support.client import Json
from tests.support.model import MEMBERS
from tests.support.sync.replica import Moment

# A write and its entry are committed together.
WITNESS = """
CREATE TABLE journal (user_id text, revision bigint, id uuid, task jsonb, is_live boolean, is_list boolean);
CREATE INDEX ON journal (user_id, revision);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO journal VALUES (NEW.user_id, NEW.revision, NEW.id, to_jsonb(NEW), NEW.deleted_at IS NULL,
            TG_TABLE_NAME = 'lists');
        RETURN NULL;
    END
$$;
CREATE TRIGGER note_insert AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_update AFTER UPDATE ON tasks FOR EACH ROW WHEN (OLD.revision <> NEW.revision)
    EXECUTE FUNCTION note();
CREATE TRIGGER note_insert AFTER INSERT ON lists FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_update AFTER UPDATE ON lists FOR EACH ROW WHEN (OLD.revision <> NEW.revision)
    EXECUTE FUNCTION note();
"""
_WRITES = "SELECT revision, id::text, task, is_live, is_list FROM journal WHERE user_id = %s ORDER BY revision"
_PRIORITIES = {number: name for name, number in PRIORITIES.items()}
State = Mapping[str, Json]


class Write(NamedTuple):
    """What a revision wrote: a task's members before it, which is None for a new task, and after it."""

    task_id: str
    before: State | None
    was_live: bool
    after: State
    is_live: bool


class Journal:
    """All writes of a user, by revision: `writes` of tasks, and for those of lists the id, and whether it is live.

    Raises AssertionError unless the revisions are 1, 2, 3 and so on, but for the steps of `todo-api reset-sync`.
    """

    def __init__(self, database: str, user_id: str) -> None:
        self.writes: dict[int, Write] = {}
        self.lists: dict[int, tuple[str, bool]] = {}
        self._of_task: dict[str, list[int]] = {}
        with psycopg.connect(database) as connection:
            rows = connection.execute(_WRITES, [user_id]).fetchall()
        self.head = 0
        for revision, task_id, row, is_live, is_list in rows:
            step = revision - self.head
            assert step == 1 or step > LEAST_STEP, f"revision {revision} follows {self.head}"
            self.head = revision
            if is_list:
                self.lists[revision] = (task_id, is_live)
                continue
            earlier = self._of_task.setdefault(task_id, [])
            last = self.writes[earlier[-1]] if earlier else None
            before, was_live = (last.after, last.is_live) if last else (None, False)
            self.writes[revision] = Write(task_id, before, was_live, _members(row), is_live)
            earlier.append(revision)

    def state(self, task_id: str, revision: int) -> State | None:
        """Return the members of a task at a revision of the user, or None if there was no such task."""
        revisions = self._of_task.get(task_id, [])
        earlier = bisect_right(revisions, revision)
        last = self.writes[revisions[earlier - 1]] if earlier else None
        return last.after if last and last.is_live else None

    def creation(self, task_id: str) -> int:
        """Return the revision that created a task."""
        return self._of_task[task_id][0]

    def check(self, moment: Moment) -> None:
        """Check that a copy that had caught up had the tasks and lists that the user had. Raises AssertionError."""
        states = {number: (write.task_id, write.is_live) for number, write in self.writes.items()} | self.lists
        latest = {states[number][0]: number for number in sorted(states) if number <= moment.revision}
        live = {row_id: number for row_id, number in latest.items() if states[number][1]}
        assert moment.rows == live, f"at revision {moment.revision}"


def _members(row: Json) -> State:
    """Return a row of the table as the members that a client can set."""
    return {name: row[name] for name in MEMBERS} | {"priority": _PRIORITIES[row["priority"]]}
