"""A write of many tasks may take longer than a statement may, and is all or nothing if its connection breaks."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.client import Json, User
from tests.support.many import insert_tasks, revisions
from tests.support.postgres import new_database
from tests.support.server import serve
from tests.support.sessions import observe

TASKS = 4000
# Each of Ada's tasks takes a millisecond, as if its text were long: all of them take twice the limit of a statement.
SLOW = """
    CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;
    CREATE TRIGGER pause BEFORE UPDATE ON tasks FOR EACH ROW WHEN (NEW.user_id = 'ada') EXECUTE FUNCTION pause();
"""
LIMIT = {"DATABASE_STATEMENT_TIMEOUT": "2"}


@pytest.fixture
def url(postgres: str) -> str:
    """Return the URL of a database in which changes of Ada's tasks are slow."""
    url = new_database(postgres)
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(SLOW.encode())
    return url


@pytest.fixture
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a service that uses it, with a limit of two seconds for a statement."""
    with serve(tmp_path_factory.mktemp("slow"), DATABASE_URL=url, **LIMIT) as server:
        yield server


def rename(user: User) -> Json:
    """Rename the tag of all tasks, and return the answer."""
    response = user.request("PATCH", "/tags?name=home", json={"name": "house"})
    assert response.status_code == 200, response.text
    return response.json()


def test_other_users_do_not_wait_for_a_tag_that_is_renamed_on_many_tasks(url: str, server: str) -> None:
    with User(server, "ada") as ada, User(server, "grace") as grace, ThreadPoolExecutor(1) as thread:
        insert_tasks(url, ada, TASKS, ["home"])
        began = time.monotonic()
        renaming = thread.submit(rename, ada)
        waits = []
        while not renaming.done():
            sent = time.monotonic()
            grace.create()
            waits.append(time.monotonic() - sent)
        assert renaming.result() == {"changed": TASKS, "revision": 2 * TASKS}
        assert time.monotonic() - began > float(LIMIT["DATABASE_STATEMENT_TIMEOUT"])
        assert max(waits) < 1
        assert len(waits) > 100
    assert all(later == earlier + 1 for earlier, later in pairwise(revisions(url, ada)))


def test_a_connection_that_breaks_meanwhile_leaves_no_task_out_and_no_revision(url: str, server: str) -> None:
    with User(server, "ada") as ada, ThreadPoolExecutor(1) as thread, observe(url) as observer:
        insert_tasks(url, ada, TASKS, ["home"])
        renaming = thread.submit(rename, ada)
        while not (busy := observer.backends("query LIKE 'UPDATE tasks%' AND now() - xact_start > interval '1 s'")):
            assert not renaming.done()
            time.sleep(0.02)
        observer.execute(f"SELECT pg_terminate_backend({busy.pop()})")
        assert renaming.result() == {"changed": TASKS, "revision": 2 * TASKS}
        assert revisions(url, ada) == [*range(TASKS + 1, 2 * TASKS + 1)]
