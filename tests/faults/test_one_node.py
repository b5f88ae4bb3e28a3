"""One node of a cluster is away: its users get 503, and others do not if there are connections for all requests."""

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.client import User, mint
from tests.support.events import streaming
from tests.support.faulty_proxy import proxy_of
from tests.support.hung_node import Coordinator
from tests.support.metrics import Samples, eventually, scrape
from tests.support.postgres import new_database
from tests.support.server import Service, free_port, run, start

HUNG = [f"hung-{number}" for number in range(23)]
HEALTHY = [f"healthy-{number}" for number in range(23)]
# As many connections as there are requests at once, so that statements that hang leave one for each of the others.
# A busy machine may take long to open them.
ROOMY = {"DATABASE_STATEMENT_TIMEOUT": "2", "DATABASE_POOL_MAX_SIZE": "46", "DATABASE_POOL_TIMEOUT": "30"}
SUCCESS = {"GET": 200, "POST": 201}
# The error is the one that a coordinator reports for a node that refuses connections.
UNREACHABLE = """
    ALTER TABLE tasks RENAME TO all_tasks;
    CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN RAISE 'connection to the remote node failed' USING ERRCODE = 'connection_failure'; END
    $$;
    CREATE VIEW tasks AS SELECT * FROM all_tasks WHERE CASE WHEN user_id LIKE 'hung-%' THEN fail() ELSE true END;
"""
LOST_WHILE_COPYING = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'server closed the connection unexpectedly' USING ERRCODE = 'internal_error'; END
    $$;
    CREATE TRIGGER fail BEFORE INSERT ON tasks FOR EACH ROW WHEN (NEW.user_id LIKE 'hung-%') EXECUTE FUNCTION fail();
"""
# As far as a coordinator is asked for them: a table that only a cluster has, and which node has a user's rows.
CLUSTER = """
    CREATE TABLE pg_dist_partition ();
    CREATE TABLE pg_dist_placement (shardid bigint, groupid integer);
    INSERT INTO pg_dist_placement VALUES (1, 1), (2, 2);
    CREATE FUNCTION get_shard_id_for_distribution_column(regclass, text) RETURNS bigint LANGUAGE sql AS
        'SELECT CASE WHEN $2 LIKE ''hung-%'' THEN 1 ELSE 2 END';
"""
SLOW_COMMIT = """
    CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION pause();
"""


def notice(**fields: str) -> bytes:
    """Return a NoticeResponse (PostgreSQL's documentation, "Message Formats")."""
    content = b"".join(f"{name}{value}\0".encode() for name, value in fields.items()) + b"\0"
    return b"N" + struct.pack("!i", 4 + len(content)) + content


LOST_DURING_COMMIT = notice(
    S="WARNING",
    V="WARNING",
    C="01000",
    M="failed to commit transaction on node:5432",
    R="FinishRemoteTransactionCommit",
)


@contextmanager
def cluster(postgres: str, directory: Path, **settings: str) -> Iterator[tuple[Service, Coordinator]]:
    """Serve a database that looks like that of a coordinator, and yield the service and the coordinator."""
    database = new_database(postgres)
    run("migrate", directory=directory, settings={"DATABASE_URL": database})
    with psycopg.connect(database) as connection:
        connection.execute(CLUSTER)
    with (
        proxy_of(Coordinator, database) as coordinator,
        start(directory, DATABASE_URL=coordinator.url, MIGRATE_ON_START="false", **settings) as service,
    ):
        yield service, coordinator


async def at_once(server: str, method: str, *users: str, path: str = "/tasks") -> Counter[tuple[int, str | None]]:
    """Send a request for each user, and count the responses by status and Retry-After."""
    task = {"title": "A task"}
    bodies = {"/tasks": task, "/batch": {"operations": [{"op": "create", "task": task}]}}

    async def send(user: str) -> tuple[int, str | None]:
        headers = {"Authorization": f"Bearer {mint(user)}"}
        body = bodies[path] if method == "POST" else None
        response = await client.request(method, f"/api/{user}{path}", headers=headers, json=body)
        return response.status_code, response.headers.get("Retry-After")

    async with httpx.AsyncClient(base_url=server, timeout=60) as client:
        return Counter(await asyncio.gather(*(send(user) for user in users)))


async def while_it_hangs(
    server: str, coordinator: Coordinator, method: str, *, head_start: float
) -> Counter[tuple[int, str | None]]:
    """Let the node hang, send requests of all users, and return the responses that those of the healthy node got.

    The users of the other node begin `head_start` seconds earlier.
    """
    with coordinator.hanging(HUNG):
        hung = asyncio.create_task(at_once(server, method, *HUNG))
        await asyncio.sleep(head_start)
        healthy = await at_once(server, method, *HEALTHY)
        assert await hung == {(503, "2"): 23}
    assert await at_once(server, method, *HUNG, *HEALTHY) == {(SUCCESS[method], None): 46}
    return healthy


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_else_gets_503_if_there_are_connections_for_all_requests(
    postgres: str, tmp_path: Path, method: str
) -> None:
    with cluster(postgres, tmp_path, **ROOMY) as (service, coordinator):
        healthy = asyncio.run(while_it_hangs(service.url, coordinator, method, head_start=0))
    assert healthy == {(SUCCESS[method], None): 23}


def test_others_hear_of_changes_while_somebody_watches_whose_node_is_away(postgres: str, tmp_path: Path) -> None:
    with (
        cluster(postgres, tmp_path, **ROOMY) as (service, coordinator),
        User(service.url, "hung-1") as hung,
        User(service.url, "healthy-1") as healthy,
        streaming(hung),
        streaming(healthy, timeout=10) as events,
    ):
        assert events.next().name == "ready"
        heard = []
        with coordinator.hanging(["hung-1"]):
            # The service reads all heads every five seconds, which fails after two.
            for _ in range(12):
                healthy.create()
                heard.append(events.next().data["revision"])
                time.sleep(1)
    assert heard == list(range(1, 13))


def test_streams_of_users_whose_node_is_away_occupy_few_connections(postgres: str, tmp_path: Path) -> None:
    port = str(free_port())
    with (
        cluster(postgres, tmp_path, DATABASE_STATEMENT_TIMEOUT="2", METRICS_PORT=port) as (service, coordinator),
        ExitStack() as streams,
    ):
        for name in HUNG:
            events = streams.enter_context(streaming(streams.enter_context(User(service.url, name)), timeout=20))
            assert events.next().name == "ready"
        in_use = []
        with coordinator.hanging(HUNG):
            # The service reads all heads every five seconds, which fails after two.
            for _ in range(12):
                time.sleep(1)
                in_use.append(scrape(port)["todo_api_pool_connections_in_use",])
    assert 1 <= max(in_use) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_with_default_settings_others_get_503_too_until_the_node_is_back(
    postgres: str, tmp_path: Path, method: str
) -> None:
    with cluster(postgres, tmp_path) as (service, coordinator):
        healthy = asyncio.run(while_it_hangs(service.url, coordinator, method, head_start=2.5))
    print(f"{method}: {healthy[503, '2']} of {len(HEALTHY)} users of the healthy node got 503")  # noqa: T201 - the figure
    assert set(healthy) <= {(SUCCESS[method], None), (503, "2")}


def test_only_users_of_a_node_that_refuses_connections_get_503(postgres: str, tmp_path: Path) -> None:
    with cluster(postgres, tmp_path) as (service, coordinator):
        assert asyncio.run(at_once(service.url, "POST", *HUNG, *HEALTHY)) == {(201, None): 46}
        with psycopg.connect(coordinator.url) as connection:
            connection.execute(UNREACHABLE)
        for _ in range(3):
            assert asyncio.run(at_once(service.url, "GET", *HUNG, *HEALTHY)) == {(503, "2"): 23, (200, None): 23}


@pytest.mark.parametrize("path", ["/tasks", "/batch"])
def test_a_write_whose_node_is_lost_during_the_commit_is_not_acknowledged(
    postgres: str, tmp_path: Path, path: str
) -> None:
    """Citus reports success, and commits on the node once it is back. Nobody sees the task until then."""

    async def create_while_the_node_is_lost(server: str, coordinator: Coordinator) -> Counter[tuple[int, str | None]]:
        creating = asyncio.create_task(at_once(server, "POST", "ada", path=path))
        await asyncio.sleep(1)
        coordinator.send(LOST_DURING_COMMIT)
        return await creating

    with cluster(postgres, tmp_path) as (service, coordinator):
        assert asyncio.run(at_once(service.url, "POST", "ada")) == {(201, None): 1}
        with psycopg.connect(coordinator.url) as connection:
            connection.execute(SLOW_COMMIT)
        assert asyncio.run(create_while_the_node_is_lost(service.url, coordinator)) == {(503, "2"): 1}
        assert asyncio.run(at_once(service.url, "POST", "ada")) == {(201, None): 1}


def test_a_write_whose_node_is_lost_before_the_commit_is_503(postgres: str, tmp_path: Path) -> None:
    """Citus reports an internal error if it loses a node while it copies rows to it."""
    with cluster(postgres, tmp_path) as (service, coordinator):
        with psycopg.connect(coordinator.url) as connection:
            connection.execute(LOST_WHILE_COPYING)
        assert asyncio.run(at_once(service.url, "POST", "hung-1", "ada")) == {(503, "2"): 1, (201, None): 1}
    assert "Traceback" not in service.log.read_text()


def failures(samples: Samples) -> dict[str, float]:
    """Return how many requests failed because of the database, by reason."""
    return {name[1]: value for name, value in samples.items() if name[0] == "todo_api_database_failures_total"}


def test_metrics_and_logs_tell_a_node_that_is_away_from_a_database_that_is_away(postgres: str, tmp_path: Path) -> None:
    port = str(free_port())
    with cluster(postgres, tmp_path, DATABASE_STATEMENT_TIMEOUT="1", METRICS_PORT=port) as (service, coordinator):
        with coordinator.hanging(HUNG):
            assert asyncio.run(at_once(service.url, "GET", HUNG[0])) == {(503, "2"): 1}
            eventually(port, lambda samples: failures(samples) == {"statement": 1, "away": 0, "share": 0})
            assert httpx.get(f"{service.url}/health/ready").status_code == 200
        coordinator.away = True
        coordinator.reset(after=b"")
        assert asyncio.run(at_once(service.url, "GET", *HEALTHY[:3])) == {(503, "2"): 3}
        eventually(port, lambda samples: failures(samples) == {"statement": 1, "away": 3, "share": 0})
    log = service.log.read_text()
    assert log.count("The database responds, but some statements fail or take too long. Requests that failed: 1.") == 1
    assert log.count("The database is away. Requests that failed: ") == 1
