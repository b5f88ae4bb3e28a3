"""A witness: the database itself notes every state that a task or list has had, whatever the service says about it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import psycopg

from handlers.resources.tasks import PRIORITIES
from storage.epochs import LEAST_STEP
from tests.support.client import Json
from tests.support.sync.edits import BLANK
from tests.support.sync.replica import Moment

# A write and its entry are committed together. A request may correct a row that it has written: its entry is the last.
WITNESS = """
CREATE TABLE journal (user_id text, revision bigint, id uuid, request xid8, task jsonb, is_live boolean,
    is_list boolean);
CREATE INDEX ON journal (user_id, revision);
CREATE TABLE noted_keys (user_id text, key text, request xid8);
CREATE TABLE purged (user_id text, id uuid);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO journal VALUES (NEW.user_id, NEW.revision, NEW.id, pg_current_xact_id(), to_jsonb(NEW),
            NEW.deleted_at IS NULL, TG_TABLE_NAME = 'lists');
        RETURN NULL;
    END
$$;
CREATE FUNCTION correct() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE journal SET task = to_jsonb(NEW)
            WHERE user_id = NEW.user_id AND revision = NEW.revision AND request = pg_current_xact_id();
        RETURN NULL;
    END
$$;
CREATE FUNCTION note_key() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO noted_keys VALUES (NEW.user_id, NEW.key, pg_current_xact_id());
        RETURN NULL;
    END
$$;
CREATE FUNCTION note_purge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO purged VALUES (OLD.user_id, OLD.id);
        RETURN NULL;
    END
$$;
CREATE TRIGGER note_insert AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_update AFTER UPDATE ON tasks FOR EACH ROW WHEN (OLD.revision <> NEW.revision)
    EXECUTE FUNCTION note();
CREATE TRIGGER correct AFTER UPDATE ON tasks FOR EACH ROW WHEN (OLD.revision = NEW.revision) EXECUTE FUNCTION correct();
CREATE TRIGGER note_purge AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION note_purge();
CREATE TRIGGER note_insert AFTER INSERT ON lists FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_update AFTER UPDATE ON lists FOR EACH ROW WHEN (OLD.revision <> NEW.revision)
    EXECUTE FUNCTION note();
CREATE TRIGGER note_key AFTER INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION note_key();
"""
_WRITES = """
SELECT revision, id::text, request::text, task, is_live, is_list FROM journal WHERE user_id = %s ORDER BY revision
"""
_KEYS = "SELECT key, request::text FROM noted_keys WHERE user_id = %s"
_PURGED = "SELECT id::text FROM purged WHERE user_id = %s"
_PRIORITIES = {number: name for name, number in PRIORITIES.items()}
_MEMBERS = ("title", "position", *BLANK)
State = Mapping[str, Json]


class Write(NamedTuple):
    """What a revision wrote: a task's members, and whether it is live."""

    task_id: str
    after: State
    is_live: bool


class Journal:
    """All writes of a user, by revision: `writes` of tasks, and for those of lists the id, and whether it is live.

    `requests` has the revisions of the writes of each request, `keys` the request of each idempotency key, and `purged`
    the ids of tasks that are gone. Raises AssertionError unless the revisions are 1, 2, 3 and so on, but for the steps
    of `todo-api reset-sync` and for batches, which write a task once even if it takes several revisions.
    """

    def __init__(self, database: str, user_id: str) -> None:
        self.writes: dict[int, Write] = {}
        self.lists: dict[int, tuple[str, bool]] = {}
        self.requests: dict[str, list[int]] = {}
        self.creators: dict[str, str] = {}
        self.head = 0
        with psycopg.connect(database) as connection:
            rows = connection.execute(_WRITES, [user_id]).fetchall()
            self.keys: dict[str, str] = dict(connection.execute(_KEYS, [user_id]).fetchall())
            self.purged = {task_id for (task_id,) in connection.execute(_PURGED, [user_id])}
        batches = set(self.keys.values())
        for revision, row_id, request, row, is_live, is_list in rows:
            step = revision - self.head
            assert step == 1 or step > LEAST_STEP or (step > 1 and request in batches), (revision, self.head)
            self.head = revision
            self.requests.setdefault(request, []).append(revision)
            if is_list:
                self.lists[revision] = (row_id, is_live)
            else:
                self.writes[revision] = Write(row_id, _members(row), is_live)
                self.creators.setdefault(row_id, request)

    def check(self, moments: Iterable[Moment]) -> None:
        """Check that copies that had caught up had the tasks and lists that the user had. Raises AssertionError."""
        states = {number: (write.task_id, write.is_live) for number, write in self.writes.items()} | self.lists
        numbers, live = sorted(states, reverse=True), dict[str, int]()
        for moment in sorted(moments, key=lambda one: one.revision):
            while numbers and numbers[-1] <= moment.revision:
                number = numbers.pop()
                row_id, is_live = states[number]
                live.pop(row_id, None)
                live |= {row_id: number} if is_live else {}
            assert moment.rows == live, f"at revision {moment.revision}"


def _members(row: Json) -> State:
    """Return a row of the table as members of a task."""
    return {name: row[name] for name in _MEMBERS} | {"priority": _PRIORITIES[row["priority"]]}
