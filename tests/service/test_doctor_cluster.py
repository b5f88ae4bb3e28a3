"""`todo-api doctor` has a section for a Citus cluster. The catalogue of Citus is a stand-in."""

import json
from pathlib import Path

import psycopg
import pytest

from storage.administration.distribution import distribute
from storage.administration.migrations import migrate
from tests.support.citus import NODES, change, database_of_a_cluster
from tests.support.server import run

SECTION = ["coordinator", "distribution", "nodes", "locales", "time-zones", "date-styles", "isolation", "clocks"]


@pytest.fixture
def cluster(postgres: str) -> str:
    """Return the URL of a cluster's coordinator, with distributed tables."""
    url = database_of_a_cluster(postgres)
    migrate(url)
    distribute(url)
    return url


def section(directory: Path, url: str) -> dict[str, str]:
    """Return doctor's findings about the cluster by their names; nothing else may be wrong."""
    done = run("doctor", directory=directory, settings={"DATABASE_URL": url})
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [name for _, name, _ in lines[-len(SECTION) :]] == SECTION
    assert {status for status, _, _ in lines[: -len(SECTION)]} == {"ok"}
    assert (done.stderr, done.returncode) == ("", int(any(status == "fault" for status, _, _ in lines)))
    return {name: f"{status} {words}" for status, name, words in lines[-len(SECTION) :]}


def the_only(status: str, found: dict[str, str]) -> tuple[str, str]:
    """Return the name and the words of the only finding that is not ok, which has this status."""
    odd = {name: said for name, said in found.items() if not said.startswith("ok ")}
    ((name, said),) = odd.items()
    assert said.startswith(f"{status} ")
    return name, said


def differ(url: str, node: int, **values: object) -> None:
    """Let a node, numbered from 1, say something else about itself."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE citus.difference SET values = %s WHERE nodeid = %s", (json.dumps(values), node))


def test_every_check_is_ok_where_nothing_is_wrong(tmp_path: Path, cluster: str) -> None:
    found = section(tmp_path, cluster)
    assert [said.partition(" ")[0] for said in found.values()] == ["ok"] * len(SECTION)
    assert found["distribution"].endswith(
        "by user_id, in one colocation group: accounts, idempotency_keys, lists, preferences, tasks. "
        "On all nodes: alembic_version."
    )
    assert found["nodes"] == f"ok {', '.join(NODES)} respond."
    assert found["isolation"] == "ok The nodes' default_transaction_isolation is 'read committed'."


def test_a_connection_to_a_worker_is_a_fault(tmp_path: Path, cluster: str) -> None:
    change(cluster, "UPDATE citus.pg_dist_local_group SET groupid = 2")
    name, said = the_only("fault", section(tmp_path, cluster))
    assert (name, "point DATABASE_URL at the coordinator" in said) == ("coordinator", True)


@pytest.mark.parametrize(
    ("statement", "status", "words"),
    [
        (
            "TRUNCATE citus.pg_dist_partition",
            "advice",
            "alone has accounts, idempotency_keys, lists, preferences, tasks, alembic_version: run todo-api distr",
        ),
        (
            "DELETE FROM citus.pg_dist_partition WHERE logicalrelid = 'tasks'::regclass",
            "fault",
            "The coordinator alone has tasks: run todo-api distribute",
        ),
        (
            "UPDATE citus.pg_dist_partition SET partkey = 'id' WHERE logicalrelid = 'tasks'::regclass",
            "fault",
            "run SELECT undistribute_table('tasks'); and then todo-api distribute",
        ),
        (
            "UPDATE citus.pg_dist_partition SET colocationid = 7 WHERE logicalrelid = 'tasks'::regclass",
            "fault",
            "run SELECT undistribute_table('tasks'); and then todo-api distribute",
        ),
        (
            "UPDATE citus.pg_dist_partition SET repmodel = 's' WHERE logicalrelid = 'alembic_version'::regclass",
            "fault",
            "run SELECT undistribute_table('alembic_version'); and then todo-api distribute",
        ),
    ],
)
def test_a_table_that_is_not_distributed_with_the_others_is_found(
    tmp_path: Path, cluster: str, statement: str, status: str, words: str
) -> None:
    change(cluster, statement)
    name, said = the_only(status, section(tmp_path, cluster))
    assert name == "distribution"
    assert words in said


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE citus.difference SET answers = false WHERE nodeid = 3", "connection refused"),
        ("UPDATE citus.pg_dist_node SET isactive = false WHERE nodeid = 3", "it is disabled"),
    ],
)
def test_a_node_that_is_away_is_named_with_the_reason(
    tmp_path: Path, cluster: str, statement: str, reason: str
) -> None:
    change(cluster, statement)
    name, said = the_only("fault", section(tmp_path, cluster))
    assert name == "nodes"
    assert said.startswith(f"fault {NODES[2]} cannot be reached, and its users get 503: ")
    assert said.endswith(f"{NODES[2]}: {reason}")


def test_a_locale_that_does_not_know_upper_from_lower_case_is_a_fault(tmp_path: Path, cluster: str) -> None:
    differ(cluster, 2, maps_case=False, locale="C")
    name, said = the_only("fault", section(tmp_path, cluster))
    assert (name, f"{NODES[1]} (C) does not map Ä to ä" in said) == ("locales", True)


@pytest.mark.parametrize(
    ("check", "value", "setting"),
    [
        ("locales", "locale", "locale"),
        ("time-zones", "time_zone", "TimeZone"),
        ("date-styles", "date_style", "DateStyle"),
    ],
)
def test_nodes_with_other_defaults_than_the_others_are_advice(
    tmp_path: Path, cluster: str, check: str, value: str, setting: str
) -> None:
    differ(cluster, 3, **{value: "strange"})
    name, said = the_only("advice", section(tmp_path, cluster))
    assert name == check
    assert said.startswith(f"advice The nodes' {setting} differs (")
    assert f" on {NODES[0]}, {NODES[1]}, strange on {NODES[2]}): set the same on all nodes" in said


def test_a_stricter_isolation_is_advice(tmp_path: Path, cluster: str) -> None:
    differ(cluster, 2, isolation="serializable")
    name, said = the_only("advice", section(tmp_path, cluster))
    assert (name, f"'read committed' on {NODES[1]}: set it to that" in said) == ("isolation", True)


def test_a_nodes_clock_that_is_wrong_is_a_fault(tmp_path: Path, cluster: str) -> None:
    differ(cluster, 2, clock=0)
    name, said = the_only("fault", section(tmp_path, cluster))
    assert (name, f"The clock of {NODES[1]} (-" in said, "NTP" in said) == ("clocks", True, True)
