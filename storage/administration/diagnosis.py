"""Facts about a database. `todo-api doctor` decides which of them are problems."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

from storage.administration.clock import ahead
from storage.administration.cluster import Nodes, has_citus, is_coordinator, nodes_of
from storage.administration.connection import connect
from storage.administration.distribution import Placement, placements
from storage.administration.listening import hears
from storage.administration.migrations import encoding_fault, locale_fault, revision_of, version_fault
from storage.errors import Unavailable, UnsuitableDatabase
from storage.schema import idempotency_keys, lists, metadata, tasks

ExtensionState = Literal["installed", "creatable", "forbidden", "absent"]

_EXTENSIONS = ["pg_trgm", "btree_gin"]
# The service deletes rows of these tables only.
_PURGED = [tasks.name, lists.name, idempotency_keys.name]
_READS_REVISION = "SELECT ON alembic_version"
_FACTS = """
SELECT quote_ident(current_user) AS role,
       pg_is_in_recovery() AS is_replica,
       current_setting('default_transaction_read_only') = 'on' AS is_read_only,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS can_create_tables,
       pg_backend_pid() AS backend_pid,
       -- A limit of -1 means none; least() ignores NULL.
       (SELECT least(
            current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0),
            nullif(rolconnlimit, -1),
            nullif(datconnlimit, -1))
        FROM pg_roles, pg_database
        WHERE rolname = current_user AND datname = current_database()) AS most_connections,
       ARRAY(SELECT name FROM unnest(%(tables)s::text[]) AS name WHERE to_regclass(name) IS NULL) AS missing_tables,
       ARRAY(
           SELECT privilege || ' ON ' || name
           FROM unnest(%(tables)s::text[]) AS name,
               unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
           WHERE (privilege <> 'DELETE' OR name = ANY(%(purged)s))
               AND NOT has_table_privilege(to_regclass(name), privilege)
           UNION ALL
           SELECT %(reads_revision)s
           WHERE NOT has_table_privilege(to_regclass('alembic_version'), 'SELECT')) AS missing_privileges,
       (SELECT json_object_agg(name, CASE
            WHEN EXISTS (SELECT FROM pg_extension WHERE extname = name) THEN 'installed'
            WHEN NOT EXISTS (SELECT FROM pg_available_extensions AS there WHERE there.name = wanted.name) THEN 'absent'
            WHEN current_setting('is_superuser') = 'on' THEN 'creatable'
            WHEN has_database_privilege(current_database(), 'CREATE') AND EXISTS (
                SELECT FROM pg_available_extension_versions AS there WHERE there.name = wanted.name AND trusted
            ) THEN 'creatable'
            ELSE 'forbidden' END)
        FROM unnest(%(extensions)s::text[]) AS wanted (name)) AS extensions
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Facts about the Citus cluster that the database is a part of, and about where the rows of each table are."""

    is_coordinator: bool
    nodes: Nodes
    placements: dict[str, Placement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Facts about a connection and its database.

    `seconds` is the time that connecting took. `address` is the socket's folder or the IP address connected to.
    `encoding_fault` and `locale_fault` are sentences, or None if there is no fault. `clock_ahead` is the least
    number of seconds that the database's clock can be ahead of ours; it is negative if that clock is behind.
    `cluster` is None if the database has no Citus.
    """

    version: str
    seconds: float
    address: str
    is_encrypted: bool
    is_verified: bool
    is_pooled: bool
    encoding_fault: str | None
    locale_fault: str | None
    role: str
    is_replica: bool
    is_read_only: bool
    can_create_tables: bool
    can_read_revision: bool
    missing_tables: tuple[str, ...]
    missing_privileges: tuple[str, ...]
    extensions: Mapping[str, ExtensionState]
    revision: str | None
    clock_ahead: float
    most_connections: int
    hears_announcements: bool
    cluster: Cluster | None


def diagnose(url: str) -> Diagnosis:
    """Return facts about the database at `url`, without changing it.

    Raises Unavailable if it does not respond, and UnsuitableDatabase if it is too old or if a query fails.
    """
    started = time.monotonic()
    try:
        connection = connect(url, autocommit=False)
    except psycopg.Error as error:
        raise Unavailable(str(error)) from error
    seconds = time.monotonic() - started
    try:
        with connection:
            if fault := version_fault(connection):
                raise UnsuitableDatabase(fault)
            return _facts(connection, seconds, hears_announcements=_hears(url))
    except psycopg.Error as error:
        words = str(error).partition("\n")[0]
        raise UnsuitableDatabase(f"It responds, but a query about it failed: {words}.") from error


def _hears(url: str) -> bool:
    # There may be no connection left.
    with suppress(Unavailable, UnsuitableDatabase):
        return hears(url)
    return False


def _facts(connection: psycopg.Connection[Any], seconds: float, *, hears_announcements: bool) -> Diagnosis:
    # A replica does not support a stricter level.
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    connection.read_only = True
    # Not a session setting, which PgBouncer in transaction mode would pass on to its next client.
    connection.execute("SELECT set_config('statement_timeout', '10s', true)")
    clock_ahead = _clock_ahead(connection)
    parameters = {
        "tables": list(metadata.tables),
        "purged": _PURGED,
        "extensions": _EXTENSIONS,
        "reads_revision": _READS_REVISION,
    }
    facts = connection.cursor(row_factory=dict_row).execute(_FACTS, parameters).fetchone() or {}
    missing = tuple(facts.pop("missing_privileges"))
    can_read_revision = _READS_REVISION not in missing
    return Diagnosis(
        version=(connection.info.parameter_status("server_version") or "").partition(" ")[0],
        seconds=seconds,
        address=connection.info.hostaddr or connection.info.host,
        is_encrypted=connection.pgconn.ssl_in_use,
        is_verified=_is_verified(connection.info.get_parameters()),
        # A connection pooler reports process ids of its own to its clients.
        is_pooled=facts.pop("backend_pid") != connection.info.backend_pid,
        encoding_fault=encoding_fault(connection),
        locale_fault=locale_fault(connection),
        can_read_revision=can_read_revision,
        missing_tables=tuple(facts.pop("missing_tables")),
        missing_privileges=missing,
        revision=revision_of(connection) if can_read_revision else None,
        clock_ahead=clock_ahead,
        hears_announcements=hears_announcements,
        cluster=_cluster(connection) if has_citus(connection) else None,
        **facts,
    )


def _cluster(connection: psycopg.Connection[Any]) -> Cluster:
    return Cluster(
        is_coordinator=is_coordinator(connection), nodes=nodes_of(connection), placements=placements(connection)
    )


def _is_verified(parameters: Mapping[str, str]) -> bool:
    """Return whether the server has proved its identity, by its certificate or by SCRAM with channel binding."""
    return parameters.get("sslmode") == "verify-full" or parameters.get("channel_binding") == "require"


def _clock_ahead(connection: psycopg.Connection[Any]) -> float:
    before = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    after = time.time()
    theirs = float(row[0]) if row else before
    return ahead(theirs, before, after)
