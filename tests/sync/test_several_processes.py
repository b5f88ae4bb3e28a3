"""A change reaches the streams of every process: of other workers, of other replicas, and behind a pooler."""

import time
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg

from tests.support.client import User
from tests.support.events import Stream, streaming
from tests.support.pgbouncer import needs_pgbouncer, run_pgbouncer
from tests.support.postgres import new_database
from tests.support.server import serve, start


def seconds_until_changed(stream: Stream, writer: User) -> float:
    """Create a task, and return after how many seconds the stream reports it."""
    revision = writer.create()["revision"]
    began = time.monotonic()
    while stream.next().data["revision"] < revision:
        pass
    return time.monotonic() - began


def test_a_change_reaches_the_streams_of_all_workers(tmp_path: Path, database: str, server: str) -> None:
    assert server, "it has migrated the database"
    settings = {"DATABASE_URL": database, "WEB_CONCURRENCY": "2"}
    with start(tmp_path, **settings) as service, ExitStack() as stack:
        name = uuid4().hex
        listeners = [stack.enter_context(User(service.url, name)) for _ in range(8)]
        streams = [stack.enter_context(streaming(one)) for one in listeners]
        for stream in streams:
            assert stream.next().name == "ready"
        with User(service.url, name) as writer:
            for _ in range(5):
                assert max(seconds_until_changed(stream, writer) for stream in streams[:1]) < 2
            revision = writer.revision()
        for stream in streams[1:]:
            while stream.next().data["revision"] < revision:
                pass


def test_a_change_reaches_the_streams_of_another_replica(tmp_path: Path, database: str, server: str) -> None:
    with (
        serve(tmp_path, DATABASE_URL=database) as other,
        User(server, uuid4().hex) as writer,
        User(other, writer.id) as listener,
        streaming(listener) as stream,
    ):
        stream.next()
        for _ in range(5):
            assert seconds_until_changed(stream, writer) < 2


def test_a_change_is_reported_although_the_connection_that_listens_was_lost(tmp_path: Path, postgres: str) -> None:
    database = new_database(postgres)
    with (
        serve(tmp_path, DATABASE_URL=database) as one,
        serve(tmp_path, DATABASE_URL=database) as other,
        User(one, uuid4().hex) as writer,
        User(other, writer.id) as listener,
        streaming(listener, timeout=15) as stream,
        psycopg.connect(database, autocommit=True) as administrator,
    ):
        stream.next()
        for _ in range(3):
            administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ '(LISTEN|NOTIFY|notify)'"
            )
            assert seconds_until_changed(stream, writer) < 10


@needs_pgbouncer
def test_a_change_is_reported_within_seconds_behind_a_transaction_pooler(tmp_path: Path, postgres: str) -> None:
    with run_pgbouncer(new_database(postgres)) as database:
        settings = {"DATABASE_URL": database, "DATABASE_PREPARED_STATEMENTS": "false"}
        with (
            start(tmp_path, **settings) as one,
            serve(tmp_path, **settings) as other,
            User(one.url, uuid4().hex) as writer,
            User(other, writer.id) as listener,
            streaming(listener) as stream,
        ):
            stream.next()
            for _ in range(3):
                assert seconds_until_changed(stream, writer) < 4
            assert one.log.read_text().count("LISTEN") == 1
