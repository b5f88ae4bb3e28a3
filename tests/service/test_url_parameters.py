"""DATABASE_URL with parameters of other drivers: what is ignored, and that what is advised instead works."""

from pathlib import Path

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.server import run, start


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_url_as_providers_print_it_for_prisma_works(database: str, tmp_path: Path, workers: str) -> None:
    migrate(database)
    url = f"{database}&pgbouncer=true&connection_limit=1"
    with (
        start(tmp_path, DATABASE_URL=url, WEB_CONCURRENCY=workers) as service,
        User(service.url, f"prisma-{workers}") as ada,
    ):
        assert ada.create()["title"] == "A task"
    log = service.log.read_text()
    assert log.count("DATABASE_URL has the parameter pgbouncer, which is ignored. Behind a connection pooler") == 1
    assert log.count("DATABASE_URL has the parameter connection_limit, which is ignored. DATABASE_POOL_MAX_SIZE") == 1


def test_another_schema_can_be_chosen_as_the_error_advises(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    refused = run("serve", directory=tmp_path, settings={"DATABASE_URL": f"{url}&schema=todo"})
    assert "write options=-csearch_path%3DNAME for another one." in refused.stderr
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA todo")
    with (
        start(tmp_path, DATABASE_URL=f"{url}&options=-csearch_path%3Dtodo") as service,
        User(service.url, "ada") as ada,
    ):
        ada.create()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM todo.tasks").fetchall() == [(1,)]
        assert connection.execute("SELECT to_regclass('public.tasks')").fetchall() == [(None,)]
