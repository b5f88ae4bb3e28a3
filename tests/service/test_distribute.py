"""`todo-api distribute`, and migrations after it, on a stand-in for Citus: what they run, what they say and refuse."""

from pathlib import Path

import psycopg
import pytest

from storage.administration.migrations import migrate
from storage.schema import metadata
from tests.support.citus import change, database_of_a_cluster
from tests.support.postgres import new_database
from tests.support.server import run

# Those with rows of users; leases stay on the coordinator.
_BY_USER = {table.name for table in metadata.sorted_tables if "user_id" in table.c}
TABLES = ", ".join(["accounts", *sorted(_BY_USER - {"accounts"})])
DONE = (
    f"Distributed by user_id, with all rows of a user on one node: {TABLES}.\nCopied to all nodes: alembic_version.\n"
)
# Down to migration 0005, which creates tables.
UNDO_MIGRATION = (
    """DELETE FROM citus.pg_dist_partition
    WHERE logicalrelid = ANY ('{idempotency_keys,lists,preferences}'::regclass[])""",
    "DROP TABLE idempotency_keys, leases, lists, preferences",
    "DROP INDEX tasks_by_deleted_at, tasks_by_revision",
    "ALTER TABLE tasks DROP COLUMN deletion_id, DROP COLUMN erased_at, DROP COLUMN list_id",
    "ALTER TABLE tasks DROP COLUMN due_time, DROP COLUMN time_zone, DROP COLUMN due_at, DROP COLUMN position",
    "ALTER TABLE tasks DROP COLUMN recurrence, DROP COLUMN series_id, DROP COLUMN occurrence_date",
    "ALTER TABLE tasks DROP COLUMN next_task_id, DROP COLUMN next_revision",
    "ALTER TABLE tasks DROP COLUMN parent_id, DROP COLUMN is_parent",
    "ALTER TABLE accounts DROP COLUMN purged, DROP COLUMN epoch",
    "UPDATE alembic_version SET version_num = '0004'",
)
PLACED = """
SELECT logicalrelid::text, partmethod, partkey, colocationid = 'accounts'::regclass::oid::int
FROM pg_dist_partition ORDER BY place
"""


@pytest.fixture
def cluster(postgres: str) -> str:
    """Return the URL of a cluster's coordinator, without tables."""
    return database_of_a_cluster(postgres)


@pytest.fixture
def migrated(cluster: str) -> str:
    """Return the URL of a cluster's coordinator that has the tables."""
    migrate(cluster)
    return cluster


def done(directory: Path, url: str, command: str = "distribute") -> str:
    """Run a command that succeeds; return what it prints."""
    ended = run(command, directory=directory, settings={"DATABASE_URL": url})
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def refused(directory: Path, url: str, command: str = "distribute") -> str:
    """Run a command that must refuse the database; return its error, a single line."""
    ended = run(command, directory=directory, settings={"DATABASE_URL": url})
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    return ended.stderr.removeprefix("Error: ").strip()


def placed(url: str) -> list[tuple[object, ...]]:
    """Return each distributed table, how, by which column, and whether with accounts, in the order of the work."""
    with psycopg.connect(url) as connection:
        return connection.execute(PLACED).fetchall()


def everything() -> list[tuple[object, ...]]:
    """Return what `placed` returns if all tables are distributed as they should be."""
    return [*((name, "h", "user_id", True) for name in TABLES.split(", ")), ("alembic_version", "n", None, False)]


def test_every_table_is_distributed_with_accounts_and_a_second_run_changes_nothing(
    tmp_path: Path, migrated: str
) -> None:
    assert placed(migrated) == []
    assert done(tmp_path, migrated) == DONE
    assert placed(migrated) == everything()
    assert done(tmp_path, migrated) == "Nothing to do: all tables are distributed already.\n"
    assert placed(migrated) == everything()


def test_what_an_interrupted_move_left_is_distributed(tmp_path: Path, migrated: str) -> None:
    change(migrated, "SELECT create_distributed_table('accounts', 'user_id', colocate_with => 'none')")
    done(tmp_path, migrated)
    assert placed(migrated) == everything()


def test_all_tables_are_distributed_or_none(tmp_path: Path, migrated: str) -> None:
    change(migrated, "ALTER TABLE citus.pg_dist_partition ADD CHECK (partmethod <> 'n')")
    assert refused(tmp_path, migrated).startswith("The tables cannot be distributed: new row for relation ")
    assert placed(migrated) == []


def test_migrations_distribute_new_tables_only_after_the_command(tmp_path: Path, migrated: str) -> None:
    change(migrated, *UNDO_MIGRATION)
    done(tmp_path, migrated, "migrate")
    assert placed(migrated) == []
    done(tmp_path, migrated)
    change(migrated, *UNDO_MIGRATION)
    done(tmp_path, migrated, "migrate")
    assert sorted(placed(migrated), key=str) == sorted(everything(), key=str)


def test_a_migration_and_the_distribution_of_its_tables_are_one_transaction(tmp_path: Path, migrated: str) -> None:
    done(tmp_path, migrated)
    change(
        migrated,
        "UPDATE alembic_version SET version_num = '0003'",
        "DELETE FROM citus.pg_dist_partition WHERE logicalrelid = 'tasks'::regclass",
        "ALTER TABLE citus.pg_dist_partition ADD CHECK (logicalrelid <> 'tasks'::regclass)",
    )
    assert refused(tmp_path, migrated, "migrate").startswith("The database cannot be migrated: new row for relation ")
    with psycopg.connect(migrated) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]


@pytest.mark.parametrize("has_tables", [True, False])
def test_a_postgresql_without_citus_is_named_as_such(tmp_path: Path, postgres: str, *, has_tables: bool) -> None:
    url = new_database(postgres)
    if has_tables:
        done(tmp_path, url, "migrate")
    words = "The database is a PostgreSQL without Citus: its tables need no distribution, and stay as they are."
    assert refused(tmp_path, url) == words


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE citus.pg_dist_local_group SET groupid = 1",
            "is on a worker of the cluster: point DATABASE_URL at the",
        ),
        ("DELETE FROM citus.pg_dist_node WHERE nodeid > 1", "no workers yet: add each with SELECT citus_add_node("),
        ("TRUNCATE citus.pg_dist_node", "no workers yet: add each with SELECT citus_add_node("),
        ("DROP TABLE tasks, accounts, alembic_version", "There are no tables yet: run todo-api migrate, and then"),
        (
            "SELECT create_distributed_table('accounts', 'revision', colocate_with => 'none')",
            "Citus does not distribute accounts as the service needs it: run SELECT undistribute_table('accounts');",
        ),
        (
            "SELECT create_distributed_table('accounts', 'user_id', colocate_with => 'none');"
            "SELECT create_distributed_table('tasks', 'user_id', colocate_with => 'none')",
            "Citus does not distribute tasks as the service needs it: run SELECT undistribute_table('tasks'); and then",
        ),
    ],
)
def test_what_cannot_be_distributed_is_refused_with_the_next_step(
    tmp_path: Path, migrated: str, statement: str, words: str
) -> None:
    change(migrated, statement)
    before = placed(migrated) if "DROP" not in statement else []
    assert words in refused(tmp_path, migrated)
    if before:
        assert placed(migrated) == before


@pytest.mark.parametrize("command", ["migrate", "distribute"])
def test_nodes_whose_locale_does_not_know_upper_from_lower_case_are_refused(
    tmp_path: Path, migrated: str, command: str
) -> None:
    change(migrated, """UPDATE citus.difference SET values = '{"maps_case": false, "locale": "C"}' WHERE nodeid > 1""")
    words = "The locale of 127.0.0.1:5433 (C), 127.0.0.1:5434 (C) does not map Ä to ä"
    assert refused(tmp_path, migrated, command).startswith(words)


def test_migrations_run_although_a_node_is_away(tmp_path: Path, cluster: str) -> None:
    change(cluster, "UPDATE citus.difference SET answers = false WHERE nodeid = 2")
    assert done(tmp_path, cluster, "migrate") == "The database is up to date.\n"
