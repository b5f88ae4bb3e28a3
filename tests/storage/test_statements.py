"""The statements sent to PostgreSQL: one for each request, with its user in every condition."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psycopg

from tests.support.client import User
from tests.support.postgres import private_postgres
from tests.support.server import serve


def exercise(ada: User) -> None:
    """Call every operation, in every form that has a separate statement."""
    task = ada.create("Buy milk", tags=["a"], due_date="2026-01-01")
    for query in ({}, {"search": "milk"}, {"tags": "a"}, {"tags": "a", "tag_match": "all"}, {"offset": 1}):
        ada.get("/tasks", params=query)
    for sort in ("created_at", "updated_at", "due_date", "due_at", "priority", "title", "position"):
        page = ada.get("/tasks", params={"sort_by": sort, "limit": 1}).json()
        assert page["total"] == 1
    ada.create("Another")
    cursor = ada.get("/tasks", params={"limit": 1}).json()["next_cursor"]
    ada.get("/tasks", params={"limit": 1, "cursor": cursor}, headers={"If-None-Match": '"0"'})
    ada.get(f"/tasks/{task['id']}")
    ada.patch(task["id"], {"completed": True, "title": "Bought"}, headers={"If-Match": '"1"'})
    ada.get("/tags")
    ada.delete(task["id"])
    ada.request("POST", f"/trash/{task['id']}/restore")
    for title in ("first", "second", "second"):
        ada.put(str(UUID(int=1)), {"title": title}, headers={"If-Match": "*"} if title == "second" else {})
    for task_id in (task["id"], str(UUID(int=1))):
        ada.delete(task_id)
    cursor = ada.get("/trash", params={"limit": 1}).json()["next_cursor"]
    ada.get("/trash", params={"limit": 1, "cursor": cursor})
    ada.request("DELETE", f"/trash/{task['id']}")


def poll(ada: User) -> None:
    """Request resources that have not changed."""
    task = ada.create("Buy milk", tags=["a"])
    for path in ("/tasks", "/tasks?search=milk&sort_by=title", "/tags", f"/tasks/{task['id']}"):
        tag = ada.get(path).headers["ETag"]
        assert ada.get(path, headers={"If-None-Match": tag}).status_code == 304


def statements_of(work: Callable[[User], object], directory: Path) -> list[str]:
    """Return the statements on the tables that a server sends during some work, in their order."""
    with private_postgres() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("SELECT pg_reload_conf()")
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        assert row is not None
        log = Path(row[0]).parent / "postgresql.log"
        with serve(directory, DATABASE_URL=url) as server, User(server, "ada") as ada:
            # The jobs run after the first request of a day.
            ada.titles()
            time.sleep(1)
            before = log.stat().st_size
            work(ada)
            time.sleep(0.2)
            with log.open("rb") as file:
                file.seek(before)
                written = file.read().decode()
    statements = re.split(r"^[0-9-]+ [0-9:.]+ \w+ \[\d+\] ", written, flags=re.MULTILINE)
    return [one for one in statements if re.search(r"\b(FROM|INTO|UPDATE) (tasks|accounts)\b", one)]


def test_each_request_is_one_statement_that_names_its_user_for_every_table(tmp_path: Path) -> None:
    statements = statements_of(exercise, tmp_path)
    # One for each of 2 creations, 14 lists, the time zone of one, a lookup of the revision, a read, a patch, a list of
    # tags, 3 deletions, 2 restorations and erasures, 3 replacements, 2 pages of the trash.
    assert len(statements) == 31
    for statement in statements:
        for table in ("tasks", "accounts"):
            # Not the FROM of EXTRACT, which a column follows.
            touched = re.findall(rf"\b(?:FROM|JOIN|UPDATE) {table}\b(?!\.)", statement)
            named = re.findall(rf"\b{table}\.user_id = \$\d", statement)
            assert len(named) == len(touched), statement
        for columns in re.findall(r"INSERT INTO \w+ \((.*?)\)", statement):
            assert "user_id" in columns.split(", "), statement


def test_emptying_the_trash_locks_the_account_in_a_statement_of_its_own(tmp_path: Path) -> None:
    lock, erase, erase_lists = statements_of(lambda ada: ada.request("DELETE", "/trash"), tmp_path)
    assert re.search(r"FROM accounts\s+WHERE accounts\.user_id = \$\d\S* FOR UPDATE", lock)
    assert "UPDATE tasks" in erase
    assert "UPDATE lists" in erase_lists


def test_an_unchanged_resource_costs_one_primary_key_lookup(tmp_path: Path) -> None:
    statements = statements_of(poll, tmp_path)[1:]
    assert len(statements) == 4 * 2
    for statement in statements[1:6:2]:
        assert re.findall(r"\b(?:FROM|JOIN|UPDATE) (\w+)", statement) == ["accounts"], statement
    whole = re.search(r"FROM tasks.*WHERE (.*?)\s*(DETAIL|$)", statements[7], re.DOTALL)
    assert whole is not None
    assert re.sub(r"\$\d(::\w+)?", "?", whole[1]).split("\n")[0].strip() == (
        "tasks.user_id = ? AND tasks.id = ? AND tasks.deleted_at IS NULL"
    )
