"""Facts about the nodes of a Citus cluster. Any role that may connect can ask for them."""

import json
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from storage.administration.clock import ahead

# The names of Citus's relations and functions are in pg_catalog, so they need no schema.
_HAS_CITUS = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
_IS_COORDINATOR = "SELECT groupid = 0 FROM pg_dist_local_group"
# By default, Citus waits 30 seconds for a node that hangs.
_PATIENCE = "SELECT set_config('citus.node_connection_timeout', '3s', true)"
# A node that is disabled is not asked. A coordinator that the nodes do not know has no row of its own.
_ASK = """
SELECT coalesce(nodename || ':' || nodeport, 'the coordinator'), coalesce(isactive, true), success, result
FROM pg_dist_node FULL JOIN run_command_on_all_nodes(%s) USING (nodeid)
WHERE coalesce(noderole = 'primary', true)
ORDER BY nodeid
"""
_DESCRIPTION = """
SELECT json_build_object(
    'maps_case', 'Ä' ILIKE 'ä',
    -- The last one has another name in PostgreSQL 15 and 16.
    'locale', concat_ws(
        ' ', datcollate, nullif(datctype, datcollate), as_json ->> 'daticulocale', as_json ->> 'datlocale'),
    'time_zone', current_setting('TimeZone'),
    'date_style', current_setting('DateStyle'),
    'isolation', current_setting('default_transaction_isolation'),
    'clock', extract(epoch FROM clock_timestamp()))
FROM pg_database AS database, to_jsonb(database) AS as_json
WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a node says about itself: its defaults, and whether its locale maps upper case to lower case.

    `clock_ahead` is the least number of seconds that its clock can be ahead of ours; negative if it is behind.
    """

    maps_case: bool
    locale: str
    time_zone: str
    date_style: str
    isolation: str
    clock_ahead: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The nodes of a cluster by their names, HOST:PORT: those that responded, and why the others did not."""

    alive: dict[str, Node]
    away: dict[str, str]


def has_citus(connection: psycopg.Connection[Any]) -> bool:
    """Return whether the extension Citus is installed in the database."""
    return connection.execute(_HAS_CITUS).fetchone() == (True,)


def is_coordinator(connection: psycopg.Connection[Any]) -> bool:
    """Return whether a connection to a database with Citus leads to the coordinator."""
    return connection.execute(_IS_COORDINATOR).fetchone() == (True,)


def nodes_of(connection: psycopg.Connection[Any]) -> Nodes:
    """Return what each node of a cluster says about itself. A node has three seconds to accept a connection."""
    with connection.transaction():
        connection.execute(_PATIENCE)
        before = time.time()
        rows = connection.execute(_ASK, (_DESCRIPTION,)).fetchall()
        after = time.time()
    alive, away = {}, {}
    for name, is_active, succeeded, result in rows:
        if is_active and succeeded:
            said = json.loads(result)
            alive[name] = Node(clock_ahead=ahead(said.pop("clock"), before, after), **said)
        else:
            away[name] = " ".join(str(result).split()) if is_active else "it is disabled"
    return Nodes(alive=alive, away=away)


def nodes_fault(connection: psycopg.Connection[Any]) -> str | None:
    """Return a sentence about the nodes whose locale is unsuitable, None if there are none, or no cluster.

    Nodes that do not respond are left out, so that the service starts without them.
    """
    return locales_fault(nodes_of(connection)) if has_citus(connection) else None


def locales_fault(nodes: Nodes) -> str | None:
    """Return a sentence about the nodes whose locale is unsuitable, None if there are none."""
    if wrong := [f"{name} ({node.locale})" for name, node in nodes.alive.items() if not node.maps_case]:
        return (
            f"The locale of {', '.join(wrong)} does not map Ä to ä, so searches would miss tasks there: recreate "
            "the node's database with a UTF-8 locale, such as LOCALE 'C.UTF-8', the same on all nodes."
        )
    return None
