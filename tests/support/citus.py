"""A stand-in for the catalogue of Citus on a stock PostgreSQL, to test what operators read. It distributes nothing."""

from urllib.parse import urlsplit

import psycopg

from tests.support.postgres import new_database

NODES = ("127.0.0.1:5432", "127.0.0.1:5433", "127.0.0.1:5434")

_CATALOGUE = """
CREATE SCHEMA citus;
CREATE TABLE citus.pg_dist_local_group AS SELECT 0 AS groupid;
CREATE TABLE citus.pg_dist_node AS SELECT node AS nodeid, '127.0.0.1' AS nodename, 5431 + node AS nodeport,
    true AS isactive, 'primary' AS noderole, node > 1 AS shouldhaveshards FROM generate_series(1, 3) AS node;
CREATE TABLE citus.pg_dist_partition (
    place serial, logicalrelid regclass, partmethod text, partkey text, colocationid int, repmodel text);
-- How a node differs from this database; a node without an answer is away.
CREATE TABLE citus.difference AS SELECT nodeid, true AS answers, '{}'::jsonb AS values FROM citus.pg_dist_node;

CREATE FUNCTION citus.column_to_column_name(regclass, text) RETURNS text RETURN $2;
CREATE FUNCTION citus.run_command_on_all_nodes(command text)
RETURNS TABLE (nodeid int, success boolean, result text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE said jsonb;
BEGIN
    EXECUTE command INTO said;
    RETURN QUERY
        SELECT nodeid, answers, CASE WHEN answers THEN (said || values)::text ELSE 'connection refused' END
        FROM citus.difference JOIN citus.pg_dist_node USING (nodeid) WHERE isactive;
END $$;
CREATE FUNCTION citus.create_distributed_table(regclass, text, colocate_with text) RETURNS void LANGUAGE SQL AS $$
    INSERT INTO citus.pg_dist_partition (logicalrelid, partmethod, partkey, colocationid, repmodel)
    SELECT $1, 'h', $2, CASE $3 WHEN 'none' THEN $1::oid::int ELSE $3::regclass::oid::int END, 's' $$;
CREATE FUNCTION citus.create_reference_table(regclass) RETURNS void LANGUAGE SQL AS $$
    INSERT INTO citus.pg_dist_partition (logicalrelid, partmethod, colocationid, repmodel) VALUES ($1, 'n', 1, 't') $$;
CREATE FUNCTION citus.truncate_local_data_after_distributing_table(regclass) RETURNS void LANGUAGE SQL AS '';
"""


def database_of_a_cluster(url: str) -> str:
    """Create a database on the server of `url` that seems to be a coordinator with two workers; return its URL."""
    made = new_database(url)
    change(made, _CATALOGUE, f'ALTER DATABASE "{urlsplit(made).path[1:]}" SET search_path = public, citus')
    return made


def change(url: str, *statements: str) -> None:
    """Run statements."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
