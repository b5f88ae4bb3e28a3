"""Distributes the tables over the nodes of a Citus cluster, so that all rows of a user are on one node.

`todo-api distribute` does so once. After that, each migration does so for the tables that it creates.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from psycopg.sql import SQL, Identifier

from storage.administration.cluster import has_citus, is_coordinator, nodes_fault
from storage.administration.connection import LOCK, connect, failing_as
from storage.errors import UnsuitableDatabase
from storage.schema import accounts, metadata

Placement = Literal["local", "distributed", "otherwise"]

# Every node must know the revision, so that migrations see it wherever they connect to.
ON_ALL_NODES = "alembic_version"
# The other tables are distributed like accounts, which must be the first.
_BY_USER = sorted(
    (table.name for table in metadata.sorted_tables if "user_id" in table.c), key=lambda name: name != accounts.name
)
_PLACEMENTS = """
SELECT name, CASE
    WHEN placed.logicalrelid IS NULL THEN 'local'
    WHEN name = %(on_all_nodes)s AND placed.partmethod = 'n' AND placed.repmodel = 't' THEN 'distributed'
    WHEN name <> %(on_all_nodes)s AND placed.partmethod = 'h' AND placed.colocationid = accounts.colocationid
        AND column_to_column_name(placed.logicalrelid, placed.partkey) = 'user_id' THEN 'distributed'
    ELSE 'otherwise' END
FROM unnest(%(tables)s::text[]) WITH ORDINALITY AS wanted (name, place)
LEFT JOIN pg_dist_partition AS placed ON placed.logicalrelid = to_regclass(name)
LEFT JOIN pg_dist_partition AS accounts ON accounts.logicalrelid = to_regclass('accounts')
WHERE to_regclass(name) IS NOT NULL
ORDER BY wanted.place
"""
# Citus refuses some sequences of statements in one transaction if it ran an earlier one on several connections.
_ONE_CONNECTION_PER_NODE = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
_LOCK = SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
_DISTRIBUTE = "SELECT create_distributed_table(%(table)s, 'user_id', colocate_with => %(group)s)"
_COPY_TO_ALL_NODES = "SELECT create_reference_table(%(table)s)"
# Citus copies the rows to the nodes, and leaves the original ones on the coordinator, where nothing reads them.
_TRUNCATE_ORIGINAL = "SELECT truncate_local_data_after_distributing_table(%(table)s)"
_HAS_NODES = "SELECT EXISTS (SELECT FROM pg_dist_node WHERE isactive AND shouldhaveshards AND noderole = 'primary')"
_logger = logging.getLogger(__name__)


def distribute(url: str) -> tuple[str, ...]:
    """Distribute the tables that are not distributed yet, in one transaction; return their names.

    Raises UnsuitableDatabase if the database is not the coordinator of a cluster with nodes and tables, and
    Unavailable if it does not respond.
    """
    with failing_as("The tables cannot be distributed"), connect(url, autocommit=False) as connection:
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        if fault := _cluster_fault(connection) or nodes_fault(connection):
            raise UnsuitableDatabase(fault)
        connection.execute(_ONE_CONNECTION_PER_NODE)
        return _distribute(connection)


@contextmanager
def distributing(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Distribute the tables that are created inside, in the same transaction, if the existing ones are distributed."""
    is_distributed = has_citus(connection) and placements(connection).get(accounts.name) == "distributed"
    if is_distributed:
        connection.execute(_ONE_CONNECTION_PER_NODE)
    yield
    if is_distributed and (new := _distribute(connection)):
        _logger.info("Distributed over the nodes: %s", ", ".join(new))


def placements(connection: psycopg.Connection[Any]) -> dict[str, Placement]:
    """Return where the rows of each table of the service are, in a database with Citus; tables may be missing.

    A table is `local` if Citus does not know it, `distributed` if it is as it should be, else `otherwise`.
    """
    parameters = {"tables": [*_BY_USER, ON_ALL_NODES], "on_all_nodes": ON_ALL_NODES}
    return dict(connection.execute(_PLACEMENTS, parameters).fetchall())


def misplaced_fault(found: dict[str, Placement]) -> str | None:
    """Return a sentence about the tables that Citus distributes in another way, None if there are none."""
    if wrong := [name for name, placement in found.items() if placement == "otherwise"]:
        statements = " ".join(f"SELECT undistribute_table('{name}');" for name in wrong)
        return (
            f"Citus does not distribute {', '.join(wrong)} as the service needs it: run {statements} "
            "and then todo-api distribute."
        )
    return None


def _cluster_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return a sentence that says why no table can be distributed, None if they can be."""
    if not has_citus(connection):
        return "The database is a PostgreSQL without Citus: its tables need no distribution, and stay as they are."
    if not is_coordinator(connection):
        return "The database is on a worker of the cluster: point DATABASE_URL at the coordinator."
    if connection.execute(_HAS_NODES).fetchone() == (False,):
        return (
            "The cluster has no workers yet: add each with SELECT citus_add_node('HOST', 5432), "
            "and then run todo-api distribute again."
        )
    if accounts.name not in placements(connection):
        return "There are no tables yet: run todo-api migrate, and then todo-api distribute again."
    return None


def _distribute(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    found = placements(connection)
    if fault := misplaced_fault(found):
        raise UnsuitableDatabase(fault)
    new = tuple(name for name, placement in found.items() if placement == "local")
    if new:
        # Locking one after the other while requests are running could end in a deadlock, after a long time of copying.
        connection.execute(_LOCK.format(SQL(", ").join(map(Identifier, new))))
    for name in new:
        statement = _COPY_TO_ALL_NODES if name == ON_ALL_NODES else _DISTRIBUTE
        group = "none" if name == accounts.name else accounts.name
        connection.execute(statement, {"table": name, "group": group})
        connection.execute(_TRUNCATE_ORIGINAL, {"table": name})
    return new
