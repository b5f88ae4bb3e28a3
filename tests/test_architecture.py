"""The arrows of the design: handlers -> storage -> schema, and every statement names its user."""

import ast
import re
import time
from pathlib import Path

import psycopg

from tests.client import User
from tests.postgres import private_postgres
from tests.server import ROOT, serve

STRANGERS = {"storage": {"handlers", "connexion", "starlette", "orjson", "json", "jwt", "uvicorn"}}


def imports(file: Path) -> set[str]:
    """Return the dotted names that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_storage_knows_nothing_of_http() -> None:
    files = list((ROOT / "storage").glob("*.py"))
    assert files
    for file in files:
        strangers = {name for name in imports(file) if name.split(".")[0] in STRANGERS["storage"]}
        assert not strangers, f"{file.name} imports {strangers}"


def test_the_schema_knows_nothing_of_its_users() -> None:
    assert not {
        name for name in imports(ROOT / "storage" / "schema.py") if name.split(".")[0] in ("storage", "handlers")
    }


def test_handlers_leave_sql_and_the_driver_to_storage() -> None:
    for file in (ROOT / "handlers").glob("*.py"):
        roots = {name.split(".")[0] for name in imports(file)}
        assert "sqlalchemy" not in roots, file.name
        # Settings ask the driver whether it understands the URL.
        assert "psycopg" not in roots or file.name == "config.py", file.name


def exercise(ada: User) -> None:
    """Call every operation, in every shape that makes another statement."""
    task = ada.create("Buy milk", tags=["a"], due_date="2026-01-01")
    for query in ({}, {"search": "milk"}, {"tags": "a"}, {"tags": "a", "tag_match": "all"}, {"offset": 1}):
        ada.get("/tasks", params=query)
    for sort in ("created_at", "updated_at", "due_date", "priority", "title"):
        page = ada.get("/tasks", params={"sort_by": sort, "limit": 1}).json()
        assert page["total"] == 1
    ada.create("Another")
    cursor = ada.get("/tasks", params={"limit": 1}).json()["next_cursor"]
    ada.get("/tasks", params={"limit": 1, "cursor": cursor}, headers={"If-None-Match": '"0"'})
    ada.get(f"/tasks/{task['id']}")
    ada.patch(task["id"], {"completed": True, "title": "Bought"}, headers={"If-Match": '"1"'})
    ada.get("/tags")
    ada.request("DELETE", f"/tasks/{task['id']}")


def test_every_statement_on_the_tables_names_its_user_and_each_request_is_one_statement(tmp_path: Path) -> None:
    with private_postgres() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("SELECT pg_reload_conf()")
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        assert row is not None
        log = Path(row[0]).parent / "postgresql.log"
        with serve(tmp_path, DATABASE_URL=url) as server, User(server, "ada") as ada:
            time.sleep(0.2)
            before = log.stat().st_size
            exercise(ada)
            time.sleep(0.2)
            with log.open("rb") as file:
                file.seek(before)
                written = file.read().decode()
    statements = re.split(r"^[0-9-]+ [0-9:.]+ \w+ \[\d+\] ", written, flags=re.MULTILINE)
    on_tables = [one for one in statements if re.search(r"\b(FROM|INTO|UPDATE) (tasks|accounts)\b", one)]
    # One for each of 2 creations, 12 lists, a look-up of the revision, a read, a patch, a list of tags, a deletion.
    assert len(on_tables) == 19
    for statement in on_tables:
        assert re.search(r"user_id = \$\d|user_id, |\(user_id", statement), statement
        for table in ("tasks", "accounts"):
            assert f"FROM {table}" not in statement or re.search(rf"{table}\.user_id = \$\d", statement), statement
